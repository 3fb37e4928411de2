from __future__ import annotations

import pytest

from switchover.machine.propagation import Acknowledgement, Halt, Propagation


@pytest.mark.req("R1")
def test_halt_and_acknowledgement_travel_as_json() -> None:
    """Both come back as they were."""
    halt = Halt("h1", "ada", "drift »bad«", 12.5, 7)
    said = Acknowledgement("r1", 7, 12.5, 42, "box")
    assert Halt.from_json(halt.to_json()) == halt
    assert Acknowledgement.from_json(said.to_json()) == said


@pytest.mark.req("R1")
@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"router":"r","epoch":"x","at":1}'])
def test_anything_else_is_a_value_error(text: str) -> None:
    """Foreign text is told apart, so that a reader can pass over it."""
    with pytest.raises(ValueError, match="not an acknowledgement"):
        Acknowledgement.from_json(text)
    with pytest.raises(ValueError, match="not a halt"):
        Halt.from_json(text)


@pytest.mark.req("R1")
def test_epoch_is_complete_when_no_live_router_is_behind() -> None:
    """A newer epoch counts as reached; the last arrival is the measure; the slow are named."""
    live = tuple(Acknowledgement(f"r{n}", n, 100.0 + n) for n in (4, 5, 6))
    assert Propagation.of(5, live) == Propagation(2, False, 106.0, ("r4",))
    assert Propagation.of(4, live, ("gone",)) == Propagation(3, True, 106.0, (), ("gone",))
    assert Propagation.of(4, ()) == Propagation(0, True, 0.0)

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.block import Block
from switchover.observe.stream import entry_number, readable_block

GOOD = Block("a:1", "mood", "success_rate", "legacy", 10.0, 5.0, 3, 1, 0.0, 0.0, {1: 2}, 4)


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(GOOD.to_json()), **fields})


@pytest.mark.req("O1")
def test_what_a_recorder_ships_is_readable() -> None:
    """A block comes back as it was."""
    assert readable_block(GOOD.to_json(), "mood") == GOOD


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "null",
        changed(n="3"),
        changed(n=3.5),
        changed(n=True),
        changed(bad=4),
        changed(bad=-1),
        changed(system="canary"),
        changed(migration="voxray"),
        changed(total=float("nan")),
        changed(total_squares=float("inf")),
        changed(start="now"),
        changed(sketch={"1": -2}),
        changed(sketch=[1]),
        changed(id=7),
        changed(metric=None),
        changed(unheard_of=1),
    ],
)
def test_impossible_block_is_malformed_and_never_an_exception(payload: str) -> None:
    """Anything that would poison the evidence is turned away at the door."""
    assert readable_block(payload, "mood") is None


@pytest.mark.req("INV6")
@given(payload=st.text())
def test_any_text_is_judged_without_an_exception(payload: str) -> None:
    """The reader survives whatever somebody wrote into the stream."""
    assert readable_block(payload, "mood") is None


@pytest.mark.req("O1")
@given(
    first=st.tuples(st.integers(0), st.integers(0)),
    second=st.tuples(st.integers(0), st.integers(0)),
)
def test_entries_compare_as_numbers(first: tuple[int, int], second: tuple[int, int]) -> None:
    """``9-0`` comes before ``10-0``, unlike as text; no cursor is before every entry."""
    spelled = [entry_number(f"{a}-{b}") for a, b in (first, second)]
    assert spelled == [first, second]
    assert entry_number("") == (0, 0)

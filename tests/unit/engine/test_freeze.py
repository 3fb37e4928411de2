"""The stop of one migration or of all: what it blocks, what it never blocks, and its record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.advance import take_step
from switchover.engine.assess import due
from switchover.engine.context import Context
from switchover.engine.freeze import freeze, unfreeze
from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.engine.status import status, why
from switchover.errors import InputError, LostRace, SwitchoverError
from switchover.machine.event import Noted
from switchover.machine.state import Phase
from switchover.ports import ALL

pytestmark = pytest.mark.req("P7", "INV5")


def stop(world: Any, scope: str = ALL, **words: Any) -> Any:
    return freeze(world.context, scope, actor="ann", reason="market opens", **words)


def notes(world: Any) -> list[tuple[str, str]]:
    return [
        (entry.payload["topic"], entry.actor)
        for entry in world.ledger.entries("demo")
        if entry.kind == Noted.kind
    ]


@pytest.mark.parametrize("scope", [ALL, "demo"])
def test_a_stop_holds_the_step_and_says_who_and_why(world: Any, scope: str) -> None:
    """advance, why and status name the person, the reason and what lifts it."""
    world.start()
    world.work()
    stop(world, scope)
    outcome = world.step()
    assert (outcome.action, outcome.did) == ("wait", False)
    for words in ("frozen by ann since", "market opens", "`switchover unfreeze"):
        assert words in outcome.sentence
        assert words in why(world.context, "demo")["sentence"]
    assert why(world.context, "demo")["waiting_for"] == "frozen"
    assert len(status(world.context, "demo")["frozen"]) == 1
    assert unfreeze(world.context, scope, actor="bo") is not None
    assert world.step().action == "enter"


def test_a_stop_of_all_holds_what_is_started_later(world: Any) -> None:
    """It is in no chain of that migration, and holds all the same."""
    stop(world)
    world.start()
    world.work()
    assert due(world.case).code == "frozen"
    assert notes(world) == []


def test_a_stop_of_another_migration_holds_nothing_here(world: Any) -> None:
    """Each migration has its own."""
    world.start()
    world.work()
    with pytest.raises(InputError, match="there is no migration"):
        stop(world, "other")
    assert world.step().action == "enter"


def test_who_froze_and_who_lifted_is_in_the_chain_once(world: Any) -> None:
    """Freezing and lifting again add nothing, also when the first one came only half through."""
    world.start()
    stop(world)
    stop(world)
    assert notes(world) == [("frozen", "ann")]
    world.wait(1)
    for _ in range(2):
        unfreeze(world.context, ALL, actor="bo")
    assert notes(world) == [("frozen", "ann"), ("unfrozen", "bo")]
    stop(world)
    assert notes(world)[2:] == [("frozen", "ann")]
    assert unfreeze(world.context, "demo", actor="bo") is None


def test_a_stop_that_was_not_noted_is_noted_the_next_time(world: Any) -> None:
    """A crash between the stop and its note leaves the stop; repeating the command notes it."""
    world.start()
    fresh = stop(world)
    world.ledger.unfreeze(ALL, at=fresh.at, actor="ann")
    begun = world.ledger.freeze(type(fresh)(ALL, "again", "ann", world.clock.now() + timedelta(1)))
    assert len(notes(world)) == 1
    assert freeze(world.context, ALL, actor="bo", reason="again") == begun
    assert len(notes(world)) == 2


def test_a_stop_ends_by_itself(world: Any) -> None:
    """At the moment that was given, and no earlier; one that is over is refused."""
    world.start()
    world.work()
    until = world.clock.now() + timedelta(hours=2)
    stop(world, until=until)
    assert due(world.case).until == until.timestamp()
    world.wait(1.99)
    assert world.step().action == "wait"
    world.wait(0.02)
    assert world.step().action == "enter"
    with pytest.raises(InputError, match="is over; give a later --until"):
        stop(world, until=until)
    with pytest.raises(InputError, match="needs a reason"):
        freeze(world.context, ALL, actor="ann", reason=" ")


def test_a_stop_blocks_no_rollback_by_hand_or_by_the_judge(world: Any) -> None:
    """Evidence is collected and judged on, and what is bad goes back."""
    world.start()
    world.to_canary()
    stop(world)
    world.wait(0.5)
    world.traffic(bad=1500)
    assert look(world.context, "demo", actor="monitor").action == "roll_back"
    assert world.case.state.phase is Phase.ROLLED_BACK
    world.start()
    world.work()
    roll_back(world.context, "demo", actor="ann", trigger="person", reason="by hand")
    assert world.case.state.phase is Phase.ROLLED_BACK


def test_a_stop_blocks_no_void_and_no_expiry(world: Any) -> None:
    """An approval whose evidence turned is void, one that nobody gave expires."""
    world.start()
    world.to_approval()
    stop(world)
    world.traffic(n=400, bad=72)
    assert look(world.context, "demo", actor="monitor").action == "void"


def test_an_approval_expires_while_everything_is_stopped(world: Any) -> None:
    """Ten hours are ten hours."""
    world.start()
    world.to_approval()
    stop(world)
    world.wait(10)
    assert look(world.context, "demo", actor="monitor").action == "expire"


class _Late:
    """A ledger in which somebody stops everything just before each step is written."""

    def __init__(self, world: Any) -> None:
        self._world, self._stopped = world, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.ledger, name)

    def append(self, *arguments: Any, **words: Any) -> Any:
        if not self._stopped:
            self._stopped = True
            stop(self._world)
        return self._world.ledger.append(*arguments, **words)


def test_a_step_that_was_decided_before_the_stop_loses(world: Any) -> None:
    """The step's compare-and-set meets the stop's note, and the outcome says so."""
    world.start()
    world.work()
    ports = {name: getattr(world.context, name) for name in Context.__dataclass_fields__}
    context = Context(**{**ports, "ledger": _Late(world)})
    outcome = take_step(context, "demo", actor="test")
    assert not outcome.did
    assert "frozen by ann" in outcome.sentence
    assert world.case.stage.kind == "checks"


def test_work_goes_on_while_steps_are_stopped(world: Any) -> None:
    """Checks are no step forward; what they found is there when the stop is lifted."""
    world.start()
    stop(world)
    assert world.step().action == "work"
    assert "frozen by ann" in why(world.context, "demo")["sentence"]
    world.work()
    unfreeze(world.context, ALL, actor="ann")
    assert world.step().action == "enter"


def test_a_chain_that_takes_no_note_leaves_no_other_without_its_own(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop holds for all, the error names the one that lacks the note, and again mends it."""
    for name in ("a", "b", "c"):
        start(world.context, world.plan(migration=name), actor="carl")
    real = world.ledger.append

    def append(migration: str, *arguments: Any, **words: Any) -> Any:
        if migration == "a":
            raise LostRace(migration, 1)
        return real(migration, *arguments, **words)

    with monkeypatch.context() as busy:
        busy.setattr(world.ledger, "append", append)
        with pytest.raises(SwitchoverError, match="holds, but is not in the history of a") as told:
            stop(world)
    assert told.value.exit_code == 4
    noted = {name: len(world.ledger.entries(name)) - 1 for name in ("a", "b", "c")}
    assert noted == {"a": 0, "b": 1, "c": 1}
    stop(world)
    assert [len(world.ledger.entries(name)) for name in ("a", "b", "c")] == [2, 2, 2]

"""A completed migration is judged for as long as its plan says, and its stream does not grow."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.collect import collect
from switchover.engine.monitor import KEPT, discard, look, watched
from switchover.judge.heartbeat import Heartbeat


def complete(world: Any, **changes: Any) -> None:
    """Walk to the end."""
    world.start(**changes)
    world.to_approval()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    assert world.step().action == "enter"
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "enter"
    assert world.case.state.phase == "complete"


def candidate_alone(world: Any, bad: int) -> None:
    """A look of traffic after completion: no legacy any more."""
    world.wait(1 / 60)
    world.stream.add(world.block("success_rate", "candidate", 500, bad))
    look(world.context, "demo", actor="monitor")


@pytest.mark.req("INV5", "O5")
def test_completed_migration_that_turns_bad_is_rolled_back(world: Any) -> None:
    """The way back is open, and monitor takes it."""
    complete(world)
    assert watched(world.context) == ["demo"]
    for _ in range(5):
        candidate_alone(world, bad=25)
    assert world.case.state.phase == "complete"
    for _ in range(10):
        candidate_alone(world, bad=250)
    assert world.case.state.phase == "rolled_back"
    assert world.routing.read("demo").split == 0


@pytest.mark.req("INV12")
def test_good_candidate_stays_complete_and_is_let_go_in_time(world: Any) -> None:
    """After the plan's time nobody looks any more, and what still comes changes nothing."""
    complete(world, judgement={"watch_after_complete": "2h"})
    for _ in range(30):
        candidate_alone(world, bad=50)
    assert world.case.state.phase == "complete"
    world.wait(2)
    assert watched(world.context) == []
    evidence = world.ledger.evidence("demo")
    world.stream.add(world.block("success_rate", "candidate", 50_000, 50_000))
    collect(world.context, "demo")
    assert world.ledger.evidence("demo") == evidence
    assert not world.step().did
    assert world.case.state.phase == "complete"


@pytest.mark.req("O1")
def test_stream_of_a_migration_that_ended_is_bounded(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old blocks and the heartbeats of those that are gone are dropped; one that is watched
    keeps all."""
    complete(world, judgement={"watch_after_complete": "2h"})
    world.stream.add(world.block("success_rate", "candidate", 5))
    gone = Heartbeat("r", 5, 0, 5.0, 0.0, "host:1", ended=True)
    alive = Heartbeat("s", 5, 0, 5.0, 0.0, "host:2")
    for said in (gone, alive):
        world.stream.say("demo", said)
    asked: list[float] = []
    forget_old = world.stream.discard

    def old(migration: str, age: float) -> None:
        asked.append(age)
        forget_old(migration, age - KEPT - 60)

    monkeypatch.setattr(world.stream, "discard", old)
    discard(world.context)
    assert (asked, len(world.stream.heartbeats("demo"))) == ([], 2)
    world.wait(2)
    discard(world.context)
    assert asked == [KEPT]
    assert [said.recorder for said in world.stream.heartbeats("demo")] == ["s"]
    assert world.stream.read("demo", "", 10)[0] == []

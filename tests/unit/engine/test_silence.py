"""No data is not good data: silence is noticed, told once, and does what the plan says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.assess import assess
from switchover.engine.collect import collect
from switchover.engine.monitor import look
from switchover.engine.status import why
from switchover.judge.block import Block

SLACK = {"slack_channel": "#demo"}


def notes(world: Any) -> list[str]:
    """What was noted about silence."""
    return [
        entry.payload["text"]
        for entry in world.ledger.entries("demo")
        if entry.kind == "noted" and entry.payload["topic"] == "silence"
    ]


def watch(world: Any, looks: int = 3) -> None:
    """A few looks, a minute apart."""
    for _ in range(looks):
        look(world.context, "demo", actor="monitor")
        world.wait(1 / 60)


@pytest.mark.req("INV6")
def test_a_silent_stage_holds_says_why_and_is_noted_once(world: Any) -> None:
    """Past the plan's limit people are told, once, and nothing moves."""
    world.start(notify=SLACK)
    world.to_canary()
    world.wait(0.1)
    watch(world)
    assert notes(world) == []
    world.wait(0.3)
    watch(world)
    assert len(notes(world)) == 1
    assert "is the recorder running?" in notes(world)[0]
    assert "is the recorder running?" in why(world.context, "demo")["sentence"]
    assert not world.step().did
    told = [row["key"] for row in world.ledger.effects("demo") if "silence" in row["key"]]
    assert len(told) == 1
    assert (world.case.state.split, world.case.state.phase) == (1000, "running")


@pytest.mark.req("INV6")
def test_a_second_silence_of_a_stage_is_noted_again(world: Any) -> None:
    """Evidence that came back and went away is news."""
    world.start()
    world.to_canary()
    world.wait(0.3)
    watch(world)
    world.traffic()
    watch(world)
    assert len(notes(world)) == 1
    world.wait(0.3)
    watch(world)
    assert len(notes(world)) == 2


@pytest.mark.req("INV6", "INV5")
def test_silence_rolls_back_where_the_plan_says_so(world: Any) -> None:
    """And only past the plan's limit."""
    world.start(judgement={"no_data": "rollback", "no_data_after": "30m"})
    world.to_canary()
    world.wait(0.4)
    watch(world)
    assert world.case.state.phase == "running"
    world.wait(0.2)
    assert look(world.context, "demo", actor="monitor").action == "roll_back"
    assert world.case.state.phase == "rolled_back"
    assert "no evidence" in world.case.state.reason
    watch(world)
    assert notes(world) == []


@pytest.mark.req("INV6")
@pytest.mark.parametrize("end", ["roll_back", "abort"])
def test_an_ended_migration_is_never_silent(world: Any, end: str) -> None:
    """There is nothing left to hear of."""
    from switchover.engine.approve import abort
    from switchover.engine.roll_back import roll_back

    world.start()
    world.to_canary()
    if end == "abort":
        abort(world.context, "demo", actor="ada", reason="x")
    else:
        roll_back(world.context, "demo", actor="ada", trigger="person", reason="x")
    world.wait(5)
    watch(world)
    assert notes(world) == []


@pytest.mark.req("INV6")
def test_a_recorder_whose_clock_is_ahead_can_not_hide_its_silence(world: Any) -> None:
    """Evidence is never heard later than now."""
    world.start()
    world.to_canary()
    ahead = world.context.timestamp + 86_400
    world.stream.add(Block("ahead", "demo", "success_rate", "candidate", ahead, 60.0, 100, 1))
    collect(world.context, "demo")
    world.wait(0.3)
    watch(world)
    assert len(notes(world)) == 1


@pytest.mark.req("INV6", "INV3")
def test_a_clock_that_goes_back_does_no_harm(world: Any) -> None:
    """No step is taken early or twice, no silence is noted twice, and a rollback still works."""
    world.start()
    world.to_canary()
    world.wait(0.3)
    watch(world)
    entries, now = len(world.ledger.entries("demo")), world.clock.now()
    for back in (0.01, 1.0, 30.0, 24.0 * 365):
        behind = replace(world.context, clock=ManualClock(now - timedelta(hours=back)))
        for _ in range(3):
            look(behind, "demo", actor="monitor")
            assert not take_step(behind, "demo", actor="flow").did
    assert len(world.ledger.entries("demo")) == entries
    world.stream.add(world.block("success_rate", "candidate", 2000, 1500))
    early = ManualClock(datetime.fromtimestamp(world.case.state.entered_at - 5, now.tzinfo))
    assert look(replace(world.context, clock=early), "demo", actor="m").action == "roll_back"
    assert world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    "still",
    [
        [("success_rate", "legacy"), ("prediction_latency_p99", "legacy")],
        [("success_rate", "candidate")],
        [("cpu_share", "candidate")],
    ],
    ids=["legacy only", "one gate only", "a metric without a gate"],
)
def test_evidence_that_went_stale_does_not_promote(world: Any, still: list[Any]) -> None:
    """A gate that passed early and fell silent holds the stage, whatever else arrives."""
    world.start()
    world.work()
    world.step()
    world.wait(0.02)
    world.traffic()
    for _ in range(60):
        world.wait(1 / 60)
        for metric, system in still:
            world.stream.add(world.block(metric, system, 2000, value=0.05))
        look(world.context, "demo", actor="monitor")
    assert not world.step().did
    assert "no evidence of" in why(world.context, "demo")["sentence"]
    assert len(notes(world)) == 1
    world.traffic()
    assert world.step().action == "enter"


@pytest.mark.req("INV6")
def test_answers_at_the_old_split_do_not_speak_for_the_new_one(world: Any) -> None:
    """Also where the recorder's clock is ahead; what it records next does."""
    world.start()
    world.to_canary()
    before = world.case.state.epoch
    world.wait(1.1)
    world.traffic()
    ahead = world.context.timestamp + 600
    world.step()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    assert world.step().action == "enter"
    seen = []
    for name, epoch in (("old", before), ("new", world.case.state.epoch)):
        world.stream.add(
            Block(name, "demo", "success_rate", "candidate", ahead, 60.0, 500, 0, epoch=epoch)
        )
        collect(world.context, "demo")
        reading = assess(world.case)
        seen.append({gate.gate: gate.n for gate in reading.gates}["success_rate"])
    assert seen == [0, 500]


@pytest.mark.req("INV6")
def test_a_gauge_without_legacys_is_no_evidence(world: Any) -> None:
    """Memory is judged against legacy's; without that a leak must not pass on old minutes."""
    world.start(gates=[{"metric": "memory_usage_delta", "at_most": "20%"}])
    world.work()
    world.step()
    for minute in range(80):
        world.wait(1 / 60)
        size = 100.0 + minute % 3 if minute < 40 else 500.0
        world.stream.add(world.block("memory_usage_delta", "candidate", 12, value=size))
        if minute < 40:
            world.stream.add(world.block("memory_usage_delta", "legacy", 12, value=100.0))
        look(world.context, "demo", actor="monitor")
    assert not world.step().did
    assert "no evidence of legacy memory_usage_delta" in why(world.context, "demo")["sentence"]

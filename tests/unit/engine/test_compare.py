"""The comparison of both systems: by stage, overall, and in the ledger when a stage ends."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.collect import collect
from switchover.engine.compare import comparison, present
from switchover.engine.roll_back import roll_back
from switchover.judge.block import Block


def figures(shown: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By metric and name."""
    return {f"{each['metric']} {each['figure']}": each for each in shown}


@pytest.mark.req("O3")
def test_success_and_duration_are_compared_in_each_stage_and_overall(world: Any) -> None:
    """Shadow and canary apart, then both together."""
    world.start()
    world.to_canary()
    world.wait(0.1)
    world.traffic(bad=100, latency=0.1)
    document = comparison(world.case)
    assert [each["stage"] for each in document["stages"]] == ["shadow", "canary-10"]
    shadow, canary = (figures(each["figures"]) for each in document["stages"])
    assert shadow["success_rate share"]["difference"] == 0.0
    assert canary["success_rate share"]["candidate"] == 0.95
    assert canary["success_rate share"]["outcome"] == "worse"
    assert canary["prediction_latency_p99 p99"]["ratio"] == pytest.approx(2.0, rel=0.03)
    assert shadow["prediction_latency_p99 mean"]["outcome"] == "unclear"
    overall = figures(document["overall"])
    assert overall["success_rate share"]["candidate"] == pytest.approx(0.975)
    assert overall["success_rate share"]["candidate_n"] == 4000


@pytest.mark.req("O3")
def test_one_stage_can_be_asked_for(world: Any) -> None:
    """And then there is no overall."""
    world.start()
    world.to_canary()
    document = comparison(world.case, "shadow")
    assert [each["stage"] for each in document["stages"]] == ["shadow"]
    assert "overall" not in document


@pytest.mark.req("O3")
@pytest.mark.req("INV11")
def test_what_a_stage_ended_with_is_in_the_ledger(world: Any) -> None:
    """The entry of the next stage holds the figures of the one before; the first has none."""
    world.start()
    world.to_canary()
    entered = [e.payload for e in world.ledger.entries("demo") if e.kind == "stage_entered"]
    assert entered[0]["comparison"] == {}
    found = entered[1]["comparison"]
    assert found["stage"] == "shadow"
    assert figures(found["figures"])["success_rate share"]["candidate_n"] == 2000


@pytest.mark.req("O3")
@pytest.mark.req("INV11")
def test_a_rollback_keeps_the_figures_of_the_stage_it_ended(world: Any) -> None:
    """They are what the analysis afterwards begins with."""
    world.start()
    world.to_canary()
    world.traffic(bad=200)
    roll_back(world.context, "demo", actor="ada", trigger="by hand", reason="too slow")
    (entry,) = [e for e in world.ledger.entries("demo") if e.kind == "rolled_back"]
    found = figures(entry.payload["comparison"]["figures"])
    assert found["success_rate share"]["candidate"] == 0.9


@pytest.mark.req("O3")
@pytest.mark.req("INV4")
def test_a_late_block_adds_to_the_stage_it_was_recorded_in(world: Any) -> None:
    """By its time, and by its epoch where the clock is ahead; delivered twice it counts once."""
    world.start()
    world.to_canary()
    state = world.case.state
    late = Block("late", "demo", "success_rate", "candidate", state.entered_at - 30, 5, 100)
    ahead = Block("ahead", "demo", "success_rate", "candidate", state.entered_at + 30, 5, 10,
                  epoch=state.epoch - 1)  # fmt: skip
    for block in (late, ahead, late):
        world.stream.add(block)
    world.wait(0.1)
    world.traffic(n=1000)
    counts = {
        each.stage: each.tally.n
        for each in world.ledger.tallies("demo", 1)
        if (each.metric, each.system) == ("success_rate", "candidate")
    }
    assert counts == {1: 2110, 2: 1000}


@pytest.mark.req("O3")
@pytest.mark.req("INV6")
def test_nothing_is_compared_without_both(world: Any) -> None:
    """One system's figures alone are no comparison."""
    world.start()
    world.work()
    world.step()
    world.stream.add(world.block("success_rate", "candidate", 500))
    collect(world.context, "demo")
    assert comparison(world.case)["stages"] == []
    assert comparison(world.case)["overall"] == []
    assert present(world.case) == {}


@pytest.mark.req("O3")
def test_memory_and_quality_have_their_own_figures(world: Any) -> None:
    """Bytes without an interval, quality as the share that was accepted."""
    world.start()
    world.to_canary()
    for system, value, bad in (("legacy", 1e8, 30), ("candidate", 1.1e8, 10)):
        world.stream.add(world.block("memory_usage_delta", system, 60, value=value))
        world.stream.add(world.block("quality_score", system, 100, bad))
    collect(world.context, "demo")
    found = figures(present(world.case)["figures"])
    assert found["memory_usage_delta mean"]["ratio"] == pytest.approx(1.1)
    assert found["memory_usage_delta mean"]["unit"] == "bytes"
    assert found["memory_usage_delta mean"]["basis"] == "none"
    assert found["quality_score share"]["difference"] == pytest.approx(0.2)


@pytest.mark.req("O3")
def test_a_new_attempt_begins_with_empty_sums(world: Any) -> None:
    """What the last attempt did is kept under its own number."""
    world.start()
    world.to_canary()
    roll_back(world.context, "demo", actor="ada", trigger="by hand", reason="again")
    world.wait(1)
    world.start()
    assert comparison(world.case)["stages"] == []
    assert world.ledger.tallies("demo", 1)


@pytest.mark.req("O3")
def test_evidence_from_before_sums_were_kept_goes_on(world: Any) -> None:
    """The stage that it stands at is known; what comes now is added to it."""
    world.start()
    world.to_canary()
    stored = world.ledger.evidence("demo")
    del stored["course"], stored["targets"]
    cursor = world.ledger.cursor("demo")
    world.ledger.ingest("demo", [], cursor, lambda known, blocks: stored, always=True)
    world.wait(0.1)
    world.traffic(n=700)
    counts = {
        each.stage: each.tally.n
        for each in world.ledger.tallies("demo", 1)
        if (each.metric, each.system) == ("success_rate", "candidate")
    }
    assert counts[2] == 700

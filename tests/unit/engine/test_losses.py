"""Evidence that never arrives is missed to the observation, told, and promotes nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.engine.assess import due, lost
from switchover.engine.collect import collect
from switchover.engine.losses import FORGOTTEN, MOST, account, done_with, losses, settle
from switchover.engine.monitor import look
from switchover.engine.status import status, why
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.observe.recorder import Recorder

SINCE = 1000.0


def block(recorder: str, n: int, upto: int) -> Block:
    return Block(f"{recorder}:{upto}", "demo", "m", "legacy", SINCE, 5.0, n, recorder=recorder,
                 upto=upto)  # fmt: skip


def said(recorder: str, upto: int, **more: Any) -> Heartbeat:
    return replace(Heartbeat(recorder, upto, 0, 5.0, SINCE + 1, "host:1"), **more)


def settled(known: dict[str, Any], *heartbeats: Heartbeat, now: float = 2000.0) -> dict[str, Any]:
    return settle(known, heartbeats, SINCE, now, known)


@pytest.mark.req("O1")
@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=30),
    gone=st.sets(st.integers(0, 29)),
    cut=st.integers(0, 30),
)
def test_exactly_what_did_not_arrive_is_missed(sizes: list[int], gone: set[int], cut: int) -> None:
    """Whichever blocks are lost, and wherever the batches were cut."""
    blocks, upto = [], 0
    for size in sizes:
        upto += size
        blocks.append(block("r", size, upto))
    arrived = [b for place, b in enumerate(blocks) if place not in gone]
    known = account({}, arrived[:cut], (), SINCE)
    known = account(known, arrived[cut:], (), SINCE)
    known = settled(known, said("r", upto, ended=True))
    expected = upto - sum(b.n for b in arrived)
    assert (losses(known, 2000.0).lost, losses(known, 2000.0).seen) == (expected, upto - expected)
    forgotten = settled(known)
    assert forgotten["live"] == {}
    assert losses(forgotten, 2000.0).lost == expected


@pytest.mark.req("O1")
def test_recorder_whose_blocks_were_all_trimmed_is_missed_by_its_heartbeat() -> None:
    """A full stream may hold nothing of a process that lived briefly."""
    known = settled({}, said("r", 40, ended=True))
    assert losses(known, 2000.0).lost == 40


@pytest.mark.req("O1")
def test_what_was_shipped_before_the_attempt_is_no_loss_of_it() -> None:
    """A recorder may have run for days when a migration starts, and between two attempts."""
    old = said("r", 500, since=SINCE - 1)
    known = account({}, [block("r", 10, 460)], [old], SINCE)
    assert losses(settled(known, old), 2000.0).lost == 40
    assert losses(settled({}, old), 2000.0).lost == 0


@pytest.mark.req("O1")
def test_collector_with_heartbeats_of_another_round_changes_nothing() -> None:
    """A recorder that another collector forgot meanwhile is not taken for one whose blocks are
    all lost."""
    known = settled(account({}, [block("r", 10, 10)], (), SINCE), said("r", 10, ended=True))
    slow = [said("r", 10, ended=True)]
    forgotten = settled(known)
    assert settle(forgotten, slow, SINCE, 2000.0, known) == forgotten
    assert settle(forgotten, slow, SINCE, 2000.0, forgotten) != forgotten


@pytest.mark.req("O1")
def test_recorder_younger_than_the_heartbeats_is_not_missing_from_them() -> None:
    """A slow collector neither forgets it before its sign-off was dropped, nor calls it silent."""
    ended = settled(account({}, [block("r", 10, 10)], (), SINCE), said("r", 10, ended=True))
    assert settle(ended, [], SINCE, 2000.0, {}) == ended
    alive = account({}, [block("k", 10, 10)], (), SINCE)
    assert settle(alive, [], SINCE, 2000.0, {}) == alive


@pytest.mark.req("O1")
def test_settling_again_changes_nothing() -> None:
    """An idle look writes nothing, and a crash before the heartbeat was dropped counts nothing
    twice."""
    known = account({}, [block("r", 10, 10), block("k", 5, 5)], (), SINCE)
    heartbeats = [said("r", 12, ended=True), said("k", 5, silent=99.0), said("l", 0)]
    once = settled(known, *heartbeats)
    assert settled(once, *heartbeats, now=2001.0) == once
    assert sorted(each.recorder for each in done_with(once, heartbeats)) == ["k", "r"]
    # The sign-off is not on record yet.
    assert done_with(once, [said("k", 5, ended=True)]) == []


@pytest.mark.req("O1")
def test_silent_recorder_counts_as_unsigned_unless_it_comes_back() -> None:
    """After an outage all are overdue for a moment; only those that stay silent are counted."""
    known = account({}, [block("r", 10, 10)], (), SINCE)
    silent = settled(known, said("r", 10, silent=31.0))
    assert losses(silent, 2010.0).unsigned == 0
    assert losses(silent, 2030.0).unsigned == 1
    assert "1 process ended without signing off" in losses(silent, 2030.0).text
    assert "last 5 s at most" in losses(silent, 2030.0).text
    back = settled(silent, said("r", 10, silent=1.0), now=2040.0)
    assert losses(back, 2100.0).unsigned == 0


@pytest.mark.req("O1")
def test_account_is_bounded_and_forgets_no_loss() -> None:
    """Processes that are killed by the thousand leave numbers, not rows."""
    known: dict[str, Any] = {}
    for number in range(MOST + 50):
        known = account(known, [block(f"r{number}", 3, 5)], (), SINCE)
    known = settled(known)
    assert len(known["live"]) == MOST
    assert losses(known, 2000.0 + 60).unsigned == MOST + 50
    assert losses(known, 2000.0).lost == 2 * (MOST + 50)
    known = settled(known, now=2000.0 + FORGOTTEN)
    assert known["live"] == {}
    assert losses(known, 2000.0).lost == 2 * (MOST + 50)


def record(world: Any, recorder: Recorder, n: int) -> None:
    """Good traffic of the last minute, in one shipment."""
    at = max(world.case.state.entered_at, world.context.timestamp - 60)
    recorder._since = at
    for _ in range(n):
        recorder.record("success_rate", True, "candidate")
        recorder.record("success_rate", True, "legacy")
        recorder.record("prediction_latency_p99", 0.05, "candidate")
        recorder.record("prediction_latency_p99", 0.05, "legacy")
    recorder.flush()


def lossy(world: Any) -> Recorder:
    """A recorder of the world's stream that is at the first canary stage."""
    world.to_canary()
    world.wait(1.1)
    return Recorder("demo", destination=world.stream)


def trim_all(world: Any) -> None:
    """As a full stream would."""
    world.stream.discard("demo", -60.0)


@pytest.mark.req("O1", "INV6")
def test_stage_with_losses_holds_until_enough_came_after_them(world: Any) -> None:
    """Missing data is not good data: what is told, and that more evidence ends it."""
    world.start()
    recorder = lossy(world)
    record(world, recorder, 100)
    trim_all(world)
    record(world, recorder, 2000)
    look(world.context, "demo", actor="monitor")
    found = lost(world.case, world.ledger.evidence("demo"))
    assert (found.seen, found.lost) == (8000, 400)
    assert why(world.context, "demo")["waiting_for"] == "lost"
    assert "400 of 8,400 recorded observations (4.8%) were lost" in due(world.case).reason
    assert not world.step().did
    record(world, recorder, 10_000)
    collect(world.context, "demo")
    assert world.step().action == "ask"


@pytest.mark.req("O1")
def test_losses_only_noted_hold_nothing(world: Any) -> None:
    """Where the plan says so; status and ledger tell of them all the same, the ledger once."""
    world.start(judgement={"lost": "note"})
    recorder = lossy(world)
    record(world, recorder, 100)
    trim_all(world)
    record(world, recorder, 2000)
    for _ in range(3):
        look(world.context, "demo", actor="monitor")
    notes = [entry.payload for entry in world.ledger.entries("demo") if entry.kind == "noted"]
    assert [(note["topic"], "400 of 8,400" in note["text"]) for note in notes] == [("lost", True)]
    assert status(world.context, "demo")["losses"]["lost"] == 400
    assert world.step().action == "ask"


@pytest.mark.req("O1")
def test_a_loss_that_was_told_costs_no_look_the_ledgers_entries(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in the evidence that people know; a process is killed once, and looked at for
    days."""
    world.start(judgement={"lost": "note"})
    recorder = lossy(world)
    record(world, recorder, 100)
    trim_all(world)
    record(world, recorder, 2000)
    look(world.context, "demo", actor="monitor")
    read: list[object] = []
    entries = world.ledger.entries
    monkeypatch.setattr(world.ledger, "entries", lambda *a, **k: read.append(a) or entries(*a, **k))
    for _ in range(3):
        look(world.context, "demo", actor="monitor")
    assert read == []
    assert lost(world.case, world.ledger.evidence("demo")).lost == 400


@pytest.mark.req("O1")
def test_next_stage_begins_without_the_losses_of_the_last(world: Any) -> None:
    """They are in the ledger; the next stage is judged by evidence of its own."""
    world.start(judgement={"lost": "note"}, stages=[
        {"kind": "checks"}, {"kind": "shadow", "bake": "1h"},
        {"kind": "canary", "percent": 10, "bake": "1h"},
        {"kind": "canary", "percent": 50, "bake": "1h"},
    ])  # fmt: skip
    recorder = lossy(world)
    record(world, recorder, 100)
    trim_all(world)
    record(world, recorder, 2000)
    collect(world.context, "demo")
    assert world.step().action == "enter"
    record(world, recorder, 5)
    collect(world.context, "demo")
    found = lost(world.case, world.ledger.evidence("demo"))
    assert (found.seen, found.lost) == (20, 0)


@pytest.mark.req("O1")
def test_clean_recorders_leave_nothing_behind(world: Any) -> None:
    """Signed off and all arrived: no loss, no row, no heartbeat."""
    world.start()
    for _ in range(3):
        recorder = lossy(world) if world.case.state.stage == 0 else Recorder(
            "demo", destination=world.stream)  # fmt: skip
        record(world, recorder, 50)
        recorder.close()
        look(world.context, "demo", actor="monitor")
    look(world.context, "demo", actor="monitor")
    evidence = world.ledger.evidence("demo")
    assert evidence["recorders"]["live"] == {}
    assert losses(evidence["recorders"], 0.0).text == ""
    assert world.stream.heartbeats("demo") == []
    assert status(world.context, "demo")["losses"]["seen"] == 600


@pytest.mark.req("O1")
def test_late_blocks_are_counted_where_they_belong_or_told(world: Any) -> None:
    """A late block of the open stage counts for it; one of a stage that is over counts against
    the candidate only and is told; one from before the attempt is left out and told."""
    world.start()
    before = world.block("success_rate", "candidate", 7)
    world.to_canary()
    entered = world.case.state.entered_at
    world.wait(0.5)
    late = world.block("success_rate", "candidate", 100)
    world.stream.add(
        replace(late, id="open", start=entered + 1, seconds=5.0),
        replace(late, id="over", start=entered - 600, seconds=5.0, n=40, bad=9),
        replace(before, id="before", start=world.ledger.evidence("demo")["since"] - 600),
    )
    collect(world.context, "demo")
    assert status(world.context, "demo")["losses"]["late"] == {"earlier_stage": 40, "left_out": 7}
    gate = next(g for g in status(world.context, "demo")["reading"]["gates"]
                if g["metric"] == "success_rate")  # fmt: skip
    assert gate["n"] == 100
    evidence = world.ledger.evidence("demo")
    collect(world.context, "demo")
    assert world.ledger.evidence("demo") == evidence

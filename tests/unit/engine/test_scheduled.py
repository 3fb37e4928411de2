"""Scheduled runs: one step for each occurrence, whatever was missed and whoever runs at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from switchover.engine.advance import Outcome, take_step
from switchover.engine.assess import due
from switchover.machine.action import Work
from switchover.plan.runs import SCHEDULE

pytestmark = pytest.mark.req("P7")

DAILY = {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}
#: Stages that are through as soon as they begin.
QUICK = [{"kind": "checks"}, {"kind": "canary", "percent": 10, "bake": "0s"},
         {"kind": "canary", "percent": 50, "bake": "0s"},
         {"kind": "canary", "percent": 100, "bake": "0s"}]  # fmt: skip


def scheduled(world: Any) -> Outcome:
    return take_step(world.context, "demo", actor=SCHEDULE)


def at(world: Any, text: str) -> None:
    """Move to a moment (UTC)."""
    world.clock.advance(datetime.fromisoformat(text).replace(tzinfo=UTC) - world.clock.now())


def begin(world: Any, **changes: Any) -> None:
    at(world, "2026-03-02T07:00")
    world.start(schedule=DAILY, stages=QUICK, **changes)
    world.work()


def test_five_missed_runs_at_once_take_one_step(world: Any) -> None:
    """Prefect executes them all on recovery; the last four say what was done and what comes."""
    begin(world)
    at(world, "2026-03-07T15:00")
    first, *others = [scheduled(world) for _ in range(5)]
    assert (first.action, first.did) == ("enter", True)
    assert world.case.stage.index == 1
    for other in others:
        assert (other.action, other.did) == ("wait", False)
        assert other.sentence.startswith(
            "the run of Sat 2026-03-07 09:00 Europe/Berlin has taken its step at 16:00:00; "
            "next run Sun 2026-03-08 09:00 Europe/Berlin"
        )


def test_the_next_occurrence_takes_the_next_step(world: Any) -> None:
    """Each day one step, with evidence; also in the night that clocks change."""
    begin(world)
    for day in ("28", "29", "30"):
        hour = "08" if day == "28" else "07"
        at(world, f"2026-03-{day}T{hour}:00:07")
        if world.case.stage.index:
            world.traffic()
        assert scheduled(world).did
        world.traffic()
        assert not scheduled(world).did
        at(world, f"2026-03-{day}T23:00")
        assert not scheduled(world).did
    assert world.case.stage.index == 3


def test_by_hand_nobody_is_limited(world: Any) -> None:
    """A person goes on after the schedule's step, and the schedule after a person's."""
    begin(world)
    at(world, "2026-03-03T08:00:07")
    assert scheduled(world).did
    world.traffic()
    assert world.step().did
    world.traffic()
    assert scheduled(world).did


def test_two_runs_at_the_same_minute_make_one_step(world: Any) -> None:
    """Threads that decide at the same moment."""
    begin(world)
    at(world, "2026-03-03T08:00:07")
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: scheduled(world), range(2)))
    assert sorted(outcome.did for outcome in outcomes) == [False, True]
    assert world.case.stage.index == 1


def test_work_that_failed_is_not_tried_again_by_the_same_occurrence(world: Any) -> None:
    """Five missed runs run the checks once; by hand they run at once, and the next day again."""
    at(world, "2026-03-02T08:00:05")
    world.start(schedule=DAILY, stages=QUICK)
    assert isinstance(due(world.case, actor=SCHEDULE), Work)
    world.work(ok=False)
    for _ in range(4):
        outcome = scheduled(world)
        assert outcome.action == "wait"
        assert "has tried (checks: 1 of 1 failed (up: x)) at 09:00:05" in outcome.sentence
    assert isinstance(due(world.case), Work)
    at(world, "2026-03-03T08:00:05")
    assert isinstance(due(world.case, actor=SCHEDULE), Work)
    world.work()
    assert scheduled(world).did


def test_a_run_whose_work_passed_and_that_died_is_finished_by_the_next(world: Any) -> None:
    """The work of a missed run counts; its step is still to be taken."""
    at(world, "2026-03-02T08:00:05")
    world.start(schedule=DAILY, stages=QUICK)
    world.work()
    assert scheduled(world).did


def test_a_bake_of_a_day_fits_a_daily_schedule(world: Any) -> None:
    """Runs begin some seconds late, now more and now less; each day has its step all the same."""
    at(world, "2026-03-02T07:00")
    stages = [{"kind": "checks"}, {"kind": "canary", "percent": 10, "bake": "24h"},
              {"kind": "canary", "percent": 50, "bake": "24h"}]  # fmt: skip
    world.start(schedule={"cron": "0 9 * * *"}, stages=stages, judgement={"no_data_after": "48h"})
    world.work()
    for day, late in ((3, 12), (4, 5), (5, 7)):
        at(world, f"2026-03-0{day}T09:00:{late:02}")
        if world.case.stage.index:
            world.traffic()
        assert scheduled(world).did, world.case.state
    assert world.case.stage.kind == "complete"


def test_a_run_that_comes_hours_late_spares_the_bake_little(world: Any) -> None:
    """Five minutes and a hundredth of the bake time are the most."""
    at(world, "2026-03-02T07:00")
    world.start(schedule=DAILY, stages=[
        {"kind": "checks"}, {"kind": "canary", "percent": 10, "bake": "1h"}])  # fmt: skip
    world.work()
    at(world, "2026-03-02T20:00")
    assert scheduled(world).did
    state = world.case.state
    assert state.not_before - state.entered_at == timedelta(minutes=59, seconds=24).total_seconds()


def test_results_that_come_after_the_step_are_dropped(world: Any) -> None:
    """The second of two runs at once has done its checks for nothing, and is no failure."""
    begin(world)
    at(world, "2026-03-03T08:00:07")
    assert scheduled(world).did
    revision = world.case.state.revision
    world.work()
    assert world.case.state.revision == revision

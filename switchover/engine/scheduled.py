"""Scheduled runs: each occurrence of a plan's cron line takes one step at most (P7).

Prefect executes every run that was missed while its server or its workers were away, all at
once; and a schedule that was deployed twice makes two runs. By hand nobody is limited.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from switchover.engine.context import Case
from switchover.plan.calendar import next_run
from switchover.plan.cron import Cron, last_occurrence
from switchover.plan.runs import SCHEDULE
from switchover.plan.wall_clock import spoken_moment

#: A scheduled run that begins later than this was missed, in seconds.
_LATEST = 300.0


def spent(case: Case) -> str:
    """The sentence that says that the present occurrence has had its step; empty if it has not.

    A step is a stage that the schedule entered; work or data checks that failed since the
    occurrence count as well, whoever ran them: the schedule tries again at the next one.
    """
    schedule, state = case.plan.schedule, case.state
    zone, now = ZoneInfo(schedule.timezone), case.context.clock.now()
    begun = last_occurrence(Cron.parse(schedule.cron), zone, now)
    if begun is None:
        return ""
    since = begun.timestamp()
    if state.entered_by == SCHEDULE and state.entered_at >= since:
        what, at = "has taken its step", state.entered_at
    else:
        failed = [r for r in (state.work, state.data) if r and not r.ok and r.at >= since]
        if not failed:
            return ""
        what, at = f"has tried ({failed[0].summary})", failed[0].at
    took = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return (
        f"the run of {spoken_moment(begun, zone)} {what} at {took:%H:%M:%S}; "
        f"{upcoming(case)}, and `switchover advance {state.migration}` needs no schedule"
    )


def head_start(case: Case, actor: str, bake: float) -> float:
    """Seconds that a scheduled run took to begin, which a stage's bake time is spared.

    Without them a stage of 24 h, entered at 9:00:12, would not be over when tomorrow's run looks
    at 9:00:08. At most a hundredth of the bake time and five minutes: a run that comes late for
    other reasons spares it no more.
    """
    if actor != SCHEDULE:
        return 0.0
    schedule, now = case.plan.schedule, case.context.clock.now()
    begun = last_occurrence(Cron.parse(schedule.cron), ZoneInfo(schedule.timezone), now)
    late = (now - begun).total_seconds() if begun else 0.0
    return min(late, bake / 100, _LATEST)


def upcoming(case: Case, after: float | None = None) -> str:
    """``next run Mon 2026-11-23 09:00 Europe/Berlin``: the next one that may take a step, at or
    after the timestamp ``after``."""
    schedule, now = case.plan.schedule, case.context.clock.now()
    # A run at that very moment is in time: hence a little before it.
    start = now if after is None else max(now, datetime.fromtimestamp(after - 1e-3, UTC))
    run = next_run(schedule, start)
    if run is None:
        return "no run of the schedule may step any more"
    return f"next run {spoken_moment(run, ZoneInfo(schedule.timezone))}"

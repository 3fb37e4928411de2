"""Rules on time: the schedule can fire, its windows lie ahead, silence is longer than a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from switchover.plan.calendar import is_over, next_run
from switchover.plan.cron import Cron
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
from switchover.plan.schedule import Window
from switchover.plan.units import spoken


@rule("schedule")
def schedule_can_fire(draft: Draft) -> Iterator[Finding]:
    """The cron line falls on at least one of the weekdays."""
    schedule = draft.plan.schedule
    cron = Cron.parse(schedule.cron)
    if not any(cron.runs_on(day) for day in schedule.weekdays):
        yield Finding(("schedule", "cron"),
                      f"'{schedule.cron}' never falls on {', '.join(schedule.weekdays)}",
                      "change the weekday field or schedule.weekdays")  # fmt: skip


@rule("schedule")
def windows_lie_ahead(draft: Draft) -> Iterator[Finding]:
    """A window that is over does nothing."""
    schedule = draft.plan.schedule
    zone = ZoneInfo(schedule.timezone)
    kinds: dict[str, tuple[str, Sequence[Window]]] = {
        "freeze": ("freeze", schedule.freeze), "maintenance": ("maintenance", schedule.maintenance)
    }  # fmt: skip
    for key, (name, windows) in kinds.items():
        for index, window in enumerate(windows):
            if not is_over(window, zone, draft.now):
                continue
            last = "end" if window.end else "rrule" if window.rrule else "start"
            since = f" since {window.end:%Y-%m-%d}" if window.end else ""
            yield Finding(("schedule", key, index, last), f"this {name} window is over{since}",
                          "remove it, or correct the year", warning=True)  # fmt: skip


@rule("schedule")
def a_run_may_step(draft: Draft) -> Iterator[Finding]:
    """Freeze and maintenance windows leave the schedule at least one run in two years."""
    schedule = draft.plan.schedule
    cron = Cron.parse(schedule.cron)
    windows = schedule.maintenance or schedule.freeze
    if not windows or not any(cron.runs_on(day) for day in schedule.weekdays):
        return
    if next_run(schedule, draft.now) is None:
        key = "maintenance" if schedule.maintenance else "freeze"
        yield Finding(("schedule", key), f"no run of '{schedule.cron}' falls where these windows "
                      "let it take a step", "change the windows, or schedule.cron")  # fmt: skip


@rule("judgement")
def silence_is_longer_than_a_look(draft: Draft) -> Iterator[Finding]:
    """An alert for missing evidence before the next look would always come."""
    judgement = draft.plan.judgement
    if judgement.no_data_after < judgement.look_every:
        yield Finding(("judgement", "no_data_after"),
                      f"evidence is missed after {spoken(judgement.no_data_after)}, and looks are "
                      f"{spoken(judgement.look_every)} apart",
                      "raise it to two looks or more")  # fmt: skip

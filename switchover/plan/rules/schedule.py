"""Rules on time: the schedule can fire, freeze windows lie ahead, silence is longer than a look."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from switchover.plan.cron import Cron
from switchover.plan.draft import Draft
from switchover.plan.rules.finding import Finding, rule
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
def freezes_lie_ahead(draft: Draft) -> Iterator[Finding]:
    """A freeze window that is over does nothing."""
    zone = ZoneInfo(draft.plan.schedule.timezone)
    for index, window in enumerate(draft.plan.schedule.freeze):
        end = window.end if window.end.tzinfo else window.end.replace(tzinfo=zone)
        if end <= draft.now:
            yield Finding(("schedule", "freeze", index, "end"),
                          f"this freeze window is over since {window.end:%Y-%m-%d}",
                          "remove it, or correct the year", warning=True)  # fmt: skip


@rule("judgement")
def silence_is_longer_than_a_look(draft: Draft) -> Iterator[Finding]:
    """An alert for missing evidence before the next look would always come."""
    judgement = draft.plan.judgement
    if judgement.no_data_after < judgement.look_every:
        yield Finding(("judgement", "no_data_after"),
                      f"evidence is missed after {spoken(judgement.no_data_after)}, and looks are "
                      f"{spoken(judgement.look_every)} apart",
                      "raise it to two looks or more")  # fmt: skip

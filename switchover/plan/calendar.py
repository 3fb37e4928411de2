"""Freeze windows and weekdays: when no step forward may be taken (P7)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from switchover.plan.spec import Schedule

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def blocked(schedule: Schedule, now: datetime) -> str:
    """The sentence that says why nothing moves forward at ``now`` (aware); empty if it may.

    Naive ends of a freeze window are read in the schedule's time zone; a window includes its
    start and excludes its end.
    """
    zone = ZoneInfo(schedule.timezone)
    local = now.astimezone(zone)
    for window in schedule.freeze:
        start, end = (
            edge if edge.tzinfo else edge.replace(tzinfo=zone)
            for edge in (window.start, window.end)
        )
        if start <= now < end:
            return (
                f"frozen until {end.astimezone(zone):%Y-%m-%d %H:%M} "
                f"({schedule.timezone}): {window.reason}"
            )
    day = _DAYS[local.weekday()]
    if day not in schedule.weekdays:
        return f"the plan takes no step on {local:%A} ({', '.join(schedule.weekdays)} only)"
    return ""

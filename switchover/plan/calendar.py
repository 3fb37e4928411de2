"""When no step forward may be taken, by the plan: freeze windows, weekdays, maintenance (P7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from switchover.plan.cron import Cron, next_occurrence
from switchover.plan.recurrence import recurrence
from switchover.plan.schedule import Schedule, Window
from switchover.plan.wall_clock import instant, shown, spoken_moment

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Clocks of a zone move by less than this.
_SLACK = timedelta(days=1)
#: How far ahead a free moment is looked for, and over how many windows.
_HORIZON, _MOST = timedelta(days=731), 2000


@dataclass(frozen=True, slots=True)
class Stop:
    """What forbids steps forward now; ``until`` (UTC) is when this one ends, None for never."""

    reason: str
    until: datetime | None

    def sentence(self, zone: ZoneInfo) -> str:
        """For people, with its end."""
        if self.until is None:
            return self.reason
        return f"{self.reason} until {spoken_moment(self.until, zone)}"


def blocked(schedule: Schedule, now: datetime) -> str:
    """The sentence that says why nothing moves forward at ``now`` (aware), and until when; empty
    if it may."""
    stop = stopped(schedule, now)
    return stop.sentence(ZoneInfo(schedule.timezone)) if stop else ""


def stopped(schedule: Schedule, now: datetime) -> Stop | None:
    """What of the plan forbids a step forward at ``now`` (aware); None if nothing does."""
    zone = ZoneInfo(schedule.timezone)
    freezes = [
        (end, window.reason)
        for window in schedule.freeze
        for start, end in _spans(window, zone, now)
        if start <= now < end
    ]
    if freezes:
        end, reason = max(freezes)
        return Stop(f"frozen by the plan ({reason})", end)
    local = shown(now, zone)
    if _DAYS[local.weekday()] not in schedule.weekdays:
        days = (local.date() + timedelta(days=ahead) for ahead in range(1, 8))
        free = next(day for day in days if _DAYS[day.weekday()] in schedule.weekdays)
        only = ", ".join(schedule.weekdays)
        until = instant(datetime.combine(free, time()), zone)
        return Stop(f"the plan takes no step on {local:%A} ({only} only)", until)
    if not schedule.maintenance or any(
        start <= now < end
        for window in schedule.maintenance
        for start, end in _spans(window, zone, now)
    ):
        return None
    coming = [_next_start(window, zone, now) for window in schedule.maintenance]
    following = min((start for start in coming if start is not None), default=None)
    if following is None:
        return Stop("the plan's last maintenance window is over; abort and start a plan with "
                    "another one", None)  # fmt: skip
    return Stop("outside of the plan's maintenance windows", following)


def free_from(schedule: Schedule, now: datetime) -> datetime | None:
    """The first moment, ``now`` or later, at which the plan allows a step forward; None if none
    comes within two years."""
    moment = now
    for _ in range(_MOST):
        stop = stopped(schedule, moment)
        if stop is None:
            return moment
        if stop.until is None or stop.until - now > _HORIZON:
            return None
        moment = stop.until
    return None


def next_run(schedule: Schedule, now: datetime) -> datetime | None:
    """The next occurrence (UTC) of the plan's cron line after ``now`` at which a step forward is
    allowed; None if none comes within two years."""
    cron, zone = Cron.parse(schedule.cron), ZoneInfo(schedule.timezone)
    moment = now
    for _ in range(_MOST):
        run = next_occurrence(cron, zone, moment)
        if run is None or run - now > _HORIZON:
            return None
        free = free_from(schedule, run)
        if free is None or free == run:
            return free
        moment = free - timedelta(microseconds=1)
    return None


def is_over(window: Window, zone: ZoneInfo, now: datetime) -> bool:
    """Whether the window lies behind and comes no more."""
    if _next_start(window, zone, now) is not None:
        return False
    return not any(now < end for _, end in _spans(window, zone, now))


def _spans(window: Window, zone: ZoneInfo, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window's first moments and first moments after it (UTC), of all that ``now`` may be in.

    A recurrence goes by the wall clock, its end too: what begins at 22:00 and lasts 8 h ends
    when the clock shows 6:00, also in a night that is an hour longer.
    """
    if window.rrule is None:
        yield _moment(window.start, zone), _once_over(window, zone)
        return
    length = timedelta(seconds=window.duration or 0.0)
    local = shown(now, zone)
    rule = recurrence(window.rrule, window.start)
    for begun in rule.between(local - length - _SLACK, local + _SLACK):
        yield instant(begun, zone), instant(begun + length, zone)


def _next_start(window: Window, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the window next begins after ``now``."""
    if window.rrule is None:
        start = _moment(window.start, zone)
        return start if start > now and start < _once_over(window, zone) else None
    length = timedelta(seconds=window.duration or 0.0)
    rule, low = recurrence(window.rrule, window.start), shown(now, zone) - _SLACK
    while (begun := rule.after(low)) is not None:
        start = instant(begun, zone)
        # One that falls wholly into the hour that clocks jump over does not come at all.
        if start > now and instant(begun + length, zone) > start:
            return start
        low = begun + timedelta(microseconds=1)
    return None


def _once_over(window: Window, zone: ZoneInfo) -> datetime:
    if window.end is not None:
        return _moment(window.end, zone)
    return _moment(window.start + timedelta(seconds=window.duration or 0.0), zone)


def _moment(edge: datetime, zone: ZoneInfo) -> datetime:
    return edge.astimezone(UTC) if edge.tzinfo else instant(edge, zone)

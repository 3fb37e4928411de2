"""Five-field cron lines, read strictly: a line that means nothing, or never comes, is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from switchover.plan.wall_clock import instant, shown

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun",
           "jul", "aug", "sep", "oct", "nov", "dec")  # fmt: skip
#: Weekdays as plans write them; cron counts from Sunday.
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: Days between two occurrences at most: 29 February, across a century without one.
_RAREST = 8 * 366 + 2
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_PARTS = (
    _Part("minute", 0, 59),
    _Part("hour", 0, 23),
    _Part("day of the month", 1, 31),
    _Part("month", 1, 12, _MONTHS),
    _Part("weekday", 0, 7, WEEKDAYS),
)
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """The moments a cron line stands for, as sets; weekdays count from Sunday = 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read ``line``; raises ``ValueError`` that says which field is wrong and what fits."""
        fields = line.split()
        if len(fields) != len(_PARTS):
            raise ValueError(
                f"'{line}' has {len(fields)} fields, and a cron line has five; "
                "write minute, hour, day, month, weekday, like 0 9 * * 1-5"
            )
        minutes, hours, days, months, weekdays = (
            _values(text, part) for text, part in zip(fields, _PARTS, strict=True)
        )
        weekdays = frozenset(day % 7 for day in weekdays)
        any_day, any_weekday = fields[2].startswith("*"), fields[4].startswith("*")
        # With both day fields given, cron takes either; so only a lone day can be impossible.
        if any_weekday and min(days) > max(_LENGTHS[month - 1] for month in months):
            raise ValueError(f"'{line}' names a day that no such month has; change day or month")
        return cls(minutes, hours, days, months, weekdays, any_day, any_weekday)

    def runs_on(self, weekday: str) -> bool:
        """Whether the line can ever fire on ``weekday`` (``mon`` … ``sun``)."""
        # A day of the month falls on every weekday some year.
        return not self.any_day or WEEKDAYS.index(weekday) in self.weekdays


def _values(text: str, part: _Part) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise _refused(item, part)
        star, first, last, step = match.groups()
        if star:
            low, high = part.low, part.high if part.high != 7 else 6
        else:
            low = _value(first, part, item)
            high = _value(last, part, item) if last else part.high if step else low
            if high < low:
                raise ValueError(
                    f"'{item}' runs backwards in the {part.name} field; write the smaller first"
                )
        if step is not None and not 0 < int(step) <= part.high:
            raise _refused(item, part)
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _value(text: str, part: _Part, item: str) -> int:
    if text.lower() in part.names:
        return part.names.index(text.lower()) + part.low
    if text.isascii() and text.isdigit() and part.low <= int(text) <= part.high:
        return int(text)
    raise _refused(item, part)


def _refused(item: str, part: _Part) -> ValueError:
    names = f" or {part.names[0]} to {part.names[-1]}" if part.names else ""
    return ValueError(
        f"'{item}' does not fit the {part.name} field of a cron line; "
        f"use {part.low} to {part.high}{names}"
    )


def last_occurrence(cron: Cron, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The last moment (UTC) at or before ``now`` (aware) for which the line stands in ``zone``;
    None if there was none in eight years.

    A time of the day comes once a day: the first time where clocks are set back, at the change
    where they jump over it. A line for every hour runs in the hour that comes twice, twice.
    """
    day = shown(now, zone).date() + timedelta(days=1)
    for _ in range(_RAREST):
        if found := [moment for moment in _moments(cron, zone, day) if moment <= now]:
            return max(found)
        day -= timedelta(days=1)
    return None


def next_occurrence(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first moment (UTC) later than ``after`` (aware); see :func:`last_occurrence`."""
    day = shown(after, zone).date() - timedelta(days=1)
    for _ in range(_RAREST):
        if found := [moment for moment in _moments(cron, zone, day) if moment > after]:
            return min(found)
        day += timedelta(days=1)
    return None


def _moments(cron: Cron, zone: ZoneInfo, day: date) -> set[datetime]:
    """What the line stands for on one day."""
    if day.month not in cron.months:
        return set()
    of_month, of_week = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    # With both day fields given, cron takes either.
    both = cron.any_day or cron.any_weekday
    if not (of_month and of_week if both else of_month or of_week):
        return set()
    times = {
        datetime.combine(day, time(hour, minute)) for hour in cron.hours for minute in cron.minutes
    }
    moments = {instant(local, zone) for local in times}
    if len(cron.hours) == 24:
        again = {local.replace(tzinfo=zone, fold=1).astimezone(UTC) for local in times}
        moments |= {moment for moment in again if shown(moment, zone) in times}
    return moments

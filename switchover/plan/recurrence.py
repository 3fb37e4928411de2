"""Recurrence rules (RFC 5545) on the wall clock. What would take long to follow is refused."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from threading import Lock
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dateutil.rrule import rrule

#: Days that a period of each allowed frequency has at least where it always has as many.
_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 0, "YEARLY": 0}
_TOO_FINE = ("HOURLY", "MINUTELY", "SECONDLY")
#: Part -> lowest, highest and whether it may count from the end (with a minus).
_NUMBERS = {
    "INTERVAL": (1, 1000, False), "COUNT": (1, 1000, False), "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True), "BYSETPOS": (1, 366, True), "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
}  # fmt: skip
_OTHERS = ("FREQ", "UNTIL", "BYDAY", "WKST")
_DAY = re.compile(r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"\d{8}(T\d{6})?")
_MOST_A_DAY = 24
#: Where following begins: only INTERVAL is counted from the start.
EARLIEST = 2000
#: The calendar repeats itself after so many years.
_CYCLE = 400


class _Followed:
    """The times of a rule from its start, each worked out once: plans with hundreds of windows
    are looked at every minute. (The library's own cache may lock up two threads for good.)"""

    def __init__(self, rule: rrule) -> None:
        self._known: list[datetime] = []
        self._rest = iter(rule)
        self._lock = Lock()

    def since(self, low: datetime) -> Iterator[datetime]:
        """Those at or after ``low``, in order."""
        place = bisect_left(self._known, low)
        while (time := self._at(place)) is not None:
            if time >= low:
                yield time
            place += 1

    def _at(self, place: int) -> datetime | None:
        with self._lock:
            if place == len(self._known):
                self._known.extend(islice(self._rest, 1))
            return self._known[place] if place < len(self._known) else None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The naive local times that a rule stands for; made by :func:`recurrence`. ``step`` is the
    days in a period, 0 where they vary and the rule is ``followed`` from its start."""

    start: datetime
    rule: rrule
    step: int
    counted: tuple[datetime, ...] | None
    followed: _Followed

    def between(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Its times in ``[low, high)``, in order."""
        for time in takewhile(lambda time: time < high, self._from(low)):
            if time >= low:
                yield time

    def after(self, low: datetime) -> datetime | None:
        """Its first time at or after ``low``; None when the rule has ended."""
        return next((time for time in self._from(low) if time >= low), None)

    def _from(self, low: datetime) -> Iterator[datetime]:
        if self.counted is not None:
            return iter(self.counted)
        if not self.step:
            return self.followed.since(low)
        skipped = (low - self.start).days // self.step - 1
        if skipped <= 0:
            return iter(self.rule)
        # Whole periods are skipped, so that a rule of long ago costs no more than one of today.
        begun = self.start + timedelta(days=skipped * self.step)
        return iter(self.rule.replace(dtstart=begun))


@lru_cache(maxsize=1024)
def recurrence(text: str, start: datetime) -> Recurrence:
    """Read ``FREQ=WEEKLY;BYDAY=FR`` that begins at ``start`` (naive).

    Raises ``ValueError`` that says what is wrong and what fits.
    """
    # Here, as it takes long to import and few plans need it.
    from dateutil.rrule import rrulestr

    if start.year < EARLIEST:
        raise ValueError(f"it begins in {start.year}; let it begin in {EARLIEST} or later")
    parts = _parts(text)
    try:
        line = ";".join(f"{name}={value}" for name, value in parts.items())
        rule = cast("rrule", rrulestr(line, dtstart=start))  # a set only where lines follow
    except (ValueError, TypeError) as error:
        raise ValueError(f"'{text}' is no recurrence rule ({error}); {_EXAMPLE}") from error
    counted = tuple(rule) if "COUNT" in parts else None
    if counted == () or (counted is None and not _comes(rule, start)):
        raise ValueError(f"'{text}' never comes after {start:%Y-%m-%d}; change its days or months")
    step = _DAYS[parts["FREQ"]] * int(parts.get("INTERVAL", "1"))
    return Recurrence(start, rule, step, counted, _Followed(rule))


_EXAMPLE = "write it like FREQ=WEEKLY;BYDAY=FR"


def _comes(rule: rrule, start: datetime) -> bool:
    """Whether the rule has any time at all. It is looked for up to the year 9999, so it is moved
    as near to that as whole cycles of the calendar allow."""
    years = (9999 - start.year) // _CYCLE * _CYCLE
    until = rule._until  # type: ignore[attr-defined]
    late = rule.replace(
        dtstart=start.replace(year=start.year + years),
        until=until and until.replace(year=min(9999, until.year + years)),
    )
    return next(iter(late), None) is not None


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not value:
            raise ValueError(f"'{part}' is no part of a recurrence rule; {_EXAMPLE}")
        if name in parts:
            raise ValueError(f"{name} is given twice; keep one of them")
        parts[name] = value
    frequency = parts.get("FREQ")
    if frequency in _TOO_FINE:
        raise ValueError(
            f"FREQ={frequency} is too fine for windows of a schedule; use FREQ=DAILY, with "
            "BYHOUR for several a day"
        )
    if frequency not in _DAYS:
        said = f"FREQ={frequency} is unknown" if frequency else "the rule has no FREQ"
        raise ValueError(f"{said}; use FREQ={', '.join(list(_DAYS)[:-1])} or YEARLY")
    for name, value in parts.items():
        _check(name, value, frequency)
    if "UNTIL" in parts and "COUNT" in parts:
        raise ValueError("COUNT and UNTIL both end the rule; keep one of them")
    if len(parts.get("UNTIL", "")) == len("20261231"):
        parts["UNTIL"] += "T235959"  # the day that is named is still in
    times = [len(parts.get(name, "").split(",")) for name in ("BYHOUR", "BYMINUTE")]
    if times[0] * times[1] > _MOST_A_DAY:
        raise ValueError(f"BYHOUR and BYMINUTE make more than {_MOST_A_DAY} windows a day; "
                         "use fewer and longer ones")  # fmt: skip
    return parts


def _check(name: str, value: str, frequency: str) -> None:
    if name in _NUMBERS:
        low, high, backwards = _NUMBERS[name]
        sign = "[+-]?" if backwards else ""
        for each in value.split(","):
            if not re.fullmatch(rf"{sign}\d{{1,4}}", each) or not low <= abs(int(each)) <= high:
                ends = f", or -{high} to -{low} from the end" if backwards else ""
                raise ValueError(f"'{each}' does not fit {name}; use {low} to {high}{ends}")
        if name in ("INTERVAL", "COUNT") and "," in value:
            raise ValueError(f"{name} is one number; write {name}={value.partition(',')[0]}")
    elif name == "UNTIL":
        if not _UNTIL.fullmatch(value):
            raise ValueError(f"'{value}' does not fit UNTIL; write a day like 20261231, or a local "
                             "time like 20261231T180000")  # fmt: skip
    elif name == "BYDAY":
        for each in value.split(","):
            match = _DAY.fullmatch(each)
            if match is None:
                raise ValueError(f"'{each}' does not fit BYDAY; use MO, TU, WE, TH, FR, SA or SU")
            if match[1] and frequency in ("DAILY", "WEEKLY"):
                raise ValueError(f"'{each}' counts weekdays of a month, which FREQ={frequency} "
                                 f"has not; use FREQ=MONTHLY, or {match[2]}")  # fmt: skip
    elif name not in _OTHERS:
        known = ", ".join([*_NUMBERS, *_OTHERS])
        raise ValueError(f"{name} is not supported in a schedule; use {known}")

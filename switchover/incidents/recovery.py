"""The way to another attempt: stabilise, analyse, improve, retry, with dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class RecoveryStep:
    """One stretch of the recovery; ``until`` is None for the last one, which has no end."""

    name: str
    days: str
    since: date
    until: date | None
    what: str


#: Name, first and last day after the incident (it happens on day 1), and what is done.
_STEPS: tuple[tuple[str, int, int | None, str], ...] = (
    ("Stabilise", 1, 1, "watch legacy, mend what the rollback left, tell everybody concerned"),
    ("Analyse", 2, 3, "find the root cause; write it, the impact and the actions down"),
    ("Improve", 4, 7, "mend the candidate; add the test and the gate that were missing; drill"),
    ("Retry", 8, None, "tick the criteria, and start the next attempt"),
)


def recovery_plan(opened_at: datetime, zone: str) -> tuple[RecoveryStep, ...]:
    """The steps with their dates in the plan's time zone; the incident's own day is day 1."""
    first = opened_at.astimezone(ZoneInfo(zone)).date()
    return tuple(
        RecoveryStep(
            name=name,
            days=_days(begin, end),
            since=first + timedelta(days=begin - 1),
            until=None if end is None else first + timedelta(days=end - 1),
            what=what,
        )
        for name, begin, end, what in _STEPS
    )


def _days(begin: int, end: int | None) -> str:
    if end is None:
        return "week 2 and later"
    return f"day {begin}" if begin == end else f"days {begin} to {end}"

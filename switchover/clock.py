"""Time as a port: use cases ask a clock, so that tests can set the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present moment as an aware datetime in UTC."""

    def now(self) -> datetime: ...


def iso(timestamp: float) -> str:
    """Seconds since the Unix epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to; starts at ``start`` (UTC)."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward by ``by``; a negative step is refused, as time has none."""
        if by < timedelta(0):
            raise ValueError("a clock does not run backwards")
        self._now += by

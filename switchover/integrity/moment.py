"""The time of a row's last change, whichever way a table keeps it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def timestamp(value: Any) -> float | None:
    """Seconds since the Unix epoch of a time, an ISO text or a number of seconds.

    Without a zone it is UTC. None for NULL; raises ``ValueError`` for anything else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = float(value)
    if isinstance(value, bool):
        raise ValueError("a truth value is no time")
    if isinstance(value, int | float | Decimal):
        return float(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError(f"{type(value).__name__} is no time")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()

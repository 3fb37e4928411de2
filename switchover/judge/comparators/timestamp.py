"""Points in time, however they are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from switchover.judge.comparators.number import is_number


def timestamp(within: Any = 0.0) -> Callable[[Any, Any], str | None]:
    """At most ``within`` seconds apart. Text is ISO 8601, UTC where it names no zone; a number
    is seconds since the Unix epoch.

    Raises ``ValueError`` for a tolerance that is none.
    """
    if not is_number(within) or not 0 <= within < math.inf:
        raise ValueError(f"within must be seconds from 0, not {within!r}")

    def compare(legacy: Any, candidate: Any) -> str | None:
        if type(legacy) is type(candidate) and legacy == candidate:
            return None
        one, other = _seconds(legacy), _seconds(candidate)
        if one is None or other is None:
            return "is not a timestamp on both sides"
        # A microsecond is what seconds of our days can hold in floating point.
        return None if abs(one - other) <= within + 1e-6 else "beyond the tolerance"

    return compare


def _seconds(value: Any) -> float | None:
    if is_number(value):
        return float(value) if abs(value) < 2**53 else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None

"""Shares of keys as basis points: 10 000 is 100 %, the resolution is 0.01 %."""

from __future__ import annotations

import math

from switchover.errors import InputError

FULL = 10_000


def percent_to_split(percent: float) -> int:
    """Percent (0 to 100) as basis points, rounded to 0.01 %; ``InputError`` outside."""
    if not math.isfinite(percent) or not 0 <= percent <= 100:
        raise InputError(f"a split of {percent} % is impossible; give a percentage from 0 to 100")
    return round(percent * FULL / 100)

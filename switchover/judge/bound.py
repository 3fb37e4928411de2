"""The Wilson bound of a share that is known from counts only."""

from __future__ import annotations

from math import sqrt

#: Standard errors to the safe side wherever a past share stands in for a present one.
SURE = 3.0


def wilson(n: int, bad: int, z: float) -> float:
    """The end of the Wilson interval of a rate (Wilson 1927), ``z`` standard errors up or down."""
    rate, share = bad / n, z * z / n
    spread = z * sqrt(rate * (1.0 - rate) / n + share / (4.0 * n))
    return max(0.0, (rate + share / 2.0 + spread) / (1.0 + share))

"""Quantiles with an upper confidence bound that assumes nothing about the distribution.

The k-th smallest of n independent observations lies at or above the p-quantile with
probability P(Binomial(n, p) ≤ k − 1), whatever the distribution (David and Nagaraja,
Order Statistics, section 7.1). The bound is the smallest such observation at 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95


def estimate(ordered: Sequence[float], p: float) -> float:
    """The p-quantile of a sorted sample: its smallest value with at least p·n at or below it."""
    if not ordered:
        raise ValueError("a quantile needs observations")
    # Rounded first: 0.99 * 500 is 495.00000000000006 in no number that people mean.
    return ordered[max(0, math.ceil(round(p * len(ordered), 9)) - 1)]


def bound_rank(n: int, p: float, confidence: float = CONFIDENCE) -> int | None:
    """The rank k, from 1, of the observation that bounds the p-quantile from above with at
    least ``confidence``; ``None`` when even the largest of n does not."""
    risk = 1 - confidence
    tail, rank = 0.0, None
    for k in range(n, 0, -1):
        tail += _binomial(k, n, p)  # now P(Binomial(n, p) ≥ k), the risk of taking rank k
        if tail > risk:
            break
        rank = k
    return rank


def needed(p: float, confidence: float = CONFIDENCE) -> int:
    """The smallest sample whose largest observation bounds the p-quantile."""
    n = max(1, math.ceil(math.log(1 - confidence) / math.log(p)) - 1)
    while bound_rank(n, p, confidence) is None:
        n += 1
    return n


def upper_bound(ordered: Sequence[float], p: float, confidence: float = CONFIDENCE) -> float | None:
    """The bound on the p-quantile from a sorted sample; ``None`` when the sample is too small."""
    rank = bound_rank(len(ordered), p, confidence)
    return None if rank is None else ordered[rank - 1]


def _binomial(k: int, n: int, p: float) -> float:
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p))

"""Confidence sequences: intervals that hold however often, and whenever, one looks.

A share: the mixture of all Bernoulli likelihoods under a uniform prior against that of p,

    E(p) = B(1 + k, 1 + n - k) / (p^k (1 - p)^(n - k)),

is a martingale if p is the true share, so P(E(p) ever reaches 1/alpha) <= alpha (Ville), and all
p with E(p) < 1/alpha are a confidence sequence (Robbins, "Statistical methods related to the law
of the iterated logarithm", 1970). A quantile: of n values the number up to the true q-quantile
is a count of successes of share q, so the ranks s with E < 1/alpha at p = q enclose it (Howard and
Ramdas, "Sequential estimation of quantiles", 2022). A mean of anything has no such interval
without further assumptions; the one here holds in the limit of many values (Waudby-Smith, Arbour,
Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences",
2024). All take the observations to be independent and of one distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, lgamma, log, log1p, sqrt

#: The number of values at which the interval of a mean is the narrowest.
_TUNED_FOR = 1000.0


def share_interval(n: int, k: int, alpha: float) -> tuple[float, float]:
    """The shares that ``k`` of ``n`` leave possible; 0 to 1 without any."""
    if n == 0:
        return 0.0, 1.0
    room = -log(alpha) - _log_beta(1 + k, 1 + n - k)

    def outside(p: float) -> bool:
        fails = (n - k) * log1p(-p) if k < n else 0.0
        return -(k * log(p) if k else 0.0) - fails >= room

    low = 0.0 if k == 0 else _border(outside, 0.0, k / n)
    high = 1.0 if k == n else _border(outside, 1.0, k / n)
    return low, high


def rank_interval(n: int, q: float, alpha: float) -> tuple[int, int]:
    """Ranks (1 is the least value) that enclose the ``q``-quantile of ``n`` values; rank 0 and
    n + 1 stand for no bound on that side."""
    room = -log(alpha)

    def outside(s: int) -> bool:
        return _log_beta(1 + s, 1 + n - s) - s * log(q) - (n - s) * log1p(-q) >= room

    middle = min(n, round(q * n))
    low, inside = -1, middle
    while inside - low > 1:
        s = (low + inside) // 2
        low, inside = (s, inside) if outside(s) else (low, s)
    least = inside
    inside, high = middle, n + 1
    while high - inside > 1:
        s = (inside + high) // 2
        inside, high = (inside, s) if outside(s) else (s, high)
    return least, inside + 1


def mean_interval(n: int, total: float, squares: float, alpha: float) -> tuple[float, float]:
    """The means that the sums of ``n`` values leave possible, for many of them."""
    if n < 2:
        return -inf, inf
    mean = total / n
    spread = sqrt(max(0.0, squares / n - mean * mean))
    level = -2.0 * log(alpha)
    rho = (level + log(level) + 1.0) / _TUNED_FOR
    scaled = n * rho + 1.0
    half = spread * sqrt(2.0 * scaled / (n * n * rho) * (0.5 * log(scaled) - log(alpha)))
    return mean - half, mean + half


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _border(outside: Callable[[float], bool], far: float, near: float) -> float:
    """Where ``outside`` begins on the way from ``near`` to ``far``, on the safe side."""
    for _ in range(60):
        middle = (far + near) / 2.0
        if middle in (far, near):
            break
        far, near = (middle, near) if outside(middle) else (far, middle)
    return far

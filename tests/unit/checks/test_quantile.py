from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from switchover.checks.quantile import CONFIDENCE, bound_rank, estimate, needed, upper_bound

sizes = st.integers(1, 3000)
quantiles = st.floats(0.01, 0.999)


@pytest.mark.req("P1")
@given(n=sizes, p=quantiles)
def test_bound_covers_the_quantile_with_the_confidence_and_is_the_tightest(
    n: int, p: float
) -> None:
    """P(Bin(n, p) ≤ k − 1) reaches 95 % at the rank k, and not one rank below (SciPy agrees)."""
    rank = bound_rank(n, p)
    if rank is None:
        assert binom.cdf(n - 1, n, p) < CONFIDENCE + 1e-9
        return
    assert binom.cdf(rank - 1, n, p) >= CONFIDENCE - 1e-9
    assert rank == 1 or binom.cdf(rank - 2, n, p) < CONFIDENCE + 1e-9


@pytest.mark.req("P1")
@given(values=st.lists(st.floats(0, 10), min_size=1, max_size=400), p=quantiles)
def test_bound_is_never_below_the_estimate(values: list[float], p: float) -> None:
    """A gate on the bound is never laxer than one on the point estimate."""
    ordered = sorted(values)
    bound = upper_bound(ordered, p)
    assert bound is None or bound >= estimate(ordered, p)


@pytest.mark.req("P1")
@given(p=st.floats(0.01, 0.9999))
def test_needed_is_the_smallest_sample_that_has_a_bound(p: float) -> None:
    """One observation fewer gives no bound."""
    n = needed(p)
    assert bound_rank(n, p) is not None
    assert n == 1 or bound_rank(n - 1, p) is None


@pytest.mark.req("P1")
def test_p99_needs_299_answers() -> None:
    """The textbook figure: 0.99 ** 299 is the first power below 5 %."""
    assert needed(0.99) == 299
    assert bound_rank(299, 0.99) == 299
    assert bound_rank(298, 0.99) is None


@pytest.mark.req("P1")
def test_large_samples_do_not_underflow() -> None:
    """100,000 observations and the median: the bound lies just above the middle."""
    rank = bound_rank(100_000, 0.5)
    assert rank is not None
    assert rank == binom.ppf(CONFIDENCE, 100_000, 0.5) + 1


@pytest.mark.req("P1")
def test_estimate_is_the_smallest_value_with_enough_at_or_below() -> None:
    """Exact ranks, free of floating-point surprises, and no estimate of nothing."""
    ordered = [float(n) for n in range(1, 101)]
    assert estimate(ordered, 0.99) == 99
    assert estimate(ordered, 0.07) == 7  # 0.07 * 100 is 7.000000000000001
    assert estimate([5.0], 0.5) == 5
    assert math.isclose(estimate(ordered, 0.999), 100)
    with pytest.raises(ValueError, match="observations"):
        estimate([], 0.5)

"""The log-bucket sketch."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.sketch import (
    HIGHEST,
    LOWEST,
    above,
    bucket_of,
    merge,
    quantile,
    value_of,
)

pytestmark = pytest.mark.req("O5")
positive = st.floats(min_value=1e-300, max_value=1e300)
sketches = st.dictionaries(st.integers(-500, 500), st.integers(0, 1000), max_size=20)


@given(positive)
def test_a_value_reads_back_within_one_percent(value: float) -> None:
    """The midpoint of a value's bucket is within 1 % of the value."""
    assert value_of(bucket_of(value)) == pytest.approx(value, rel=0.0100)


@given(positive, positive)
def test_a_larger_value_never_falls_into_a_lower_bucket(one: float, other: float) -> None:
    """Buckets are in the order of values."""
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@pytest.mark.parametrize("value", [0.0, -3.0, -math.inf])
def test_nothing_and_less_go_to_the_lowest_bucket(value: float) -> None:
    """Zero and negative values count as the least value."""
    assert bucket_of(value) == LOWEST
    assert value_of(LOWEST) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.req("INV6")
def test_an_unreadable_value_lies_above_every_limit(value: float) -> None:
    """Not-a-number and infinity are never taken for a good value."""
    assert bucket_of(value) == HIGHEST
    assert above({bucket_of(value): 2}, 1e300) == 2


@given(st.lists(st.floats(min_value=1e-6, max_value=1e6), max_size=200), positive)
def test_above_counts_what_is_clearly_above(values: list[float], limit: float) -> None:
    """Only observations within the resolution of the limit can be on the other side."""
    sketch = merge({bucket_of(value): 1} for value in values)
    clearly = sum(value > limit * 1.021 for value in values)
    perhaps = sum(value > limit / 1.021 for value in values)
    assert clearly <= above(sketch, limit) <= perhaps


@given(sketches, sketches, sketches)
def test_merging_does_not_depend_on_the_order(a: dict, b: dict, c: dict) -> None:
    """Any order and grouping gives the same sketch, and no argument is changed."""
    before = dict(a)
    assert merge([a, b, c]) == merge([merge([c, a]), b])
    assert a == before


@given(sketches, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_quantile_is_never_a_lower_value(sketch: dict, p: float, q: float) -> None:
    """Quantiles rise, and there is none without observations."""
    low, high = quantile(sketch, min(p, q)), quantile(sketch, max(p, q))
    assert (low is None) == (high is None) == (sum(sketch.values()) == 0)
    if low is not None and high is not None:
        assert low <= high


def test_a_quantile_is_near_that_of_the_values() -> None:
    """p50, p95 and p99 of a skewed sample are within 1 % of the exact order statistics."""
    rng = random.Random(1)
    values = sorted(rng.lognormvariate(-3, 1) for _ in range(10_000))
    sketch = merge({bucket_of(value): 1} for value in values)
    for q in (0.5, 0.95, 0.99):
        assert quantile(sketch, q) == pytest.approx(values[int(q * 10_000)], rel=0.0101)


def test_a_percentile_written_as_99_is_refused() -> None:
    """The message says how it is written."""
    with pytest.raises(ValueError, match=r"0\.99"):
        quantile({1: 1}, 99)

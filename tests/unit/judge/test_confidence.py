"""Confidence sequences: they cover, however often one looks, and narrow."""

from __future__ import annotations

import random
from math import inf

import pytest

from switchover.judge.confidence import mean_interval, rank_interval, share_interval


@pytest.mark.req("O3")
def test_a_share_stays_within_its_interval_at_every_look() -> None:
    """Of 300 seeded runs with 60 looks each at most a few ever leave the 90 % interval, where
    intervals for one look would be left by nearly half."""
    rng = random.Random(7)
    left = 0
    for _ in range(300):
        k = 0
        for n in range(1, 1201):
            k += rng.random() < 0.1
            low, high = share_interval(n, k, 0.1) if n % 20 == 0 else (0.0, 1.0)
            if not low <= 0.1 <= high:
                left += 1
                break
    assert left <= 30


@pytest.mark.req("O3")
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_quantile_stays_within_its_ranks_at_every_look(q: float) -> None:
    """The number of values up to the true quantile lies between the ranks."""
    rng = random.Random(11)
    left = 0
    for _ in range(200):
        below = 0
        for n in range(1, 601):
            below += rng.random() < q
            if n % 30 == 0:
                low, high = rank_interval(n, q, 0.1)
                if not low <= below < high:
                    left += 1
                    break
    assert left <= 20


@pytest.mark.req("O3")
def test_a_mean_stays_within_its_interval_from_a_thousand_values_on() -> None:
    """The asymptotic interval holds for skewed values too, once there are many."""
    rng = random.Random(3)
    left = 0
    for _ in range(100):
        total = squares = 0.0
        for n in range(1, 4001):
            value = rng.expovariate(1.0)
            total, squares = total + value, squares + value * value
            if n >= 1000 and n % 100 == 0:
                low, high = mean_interval(n, total, squares, 0.1)
                if not low <= 1.0 <= high:
                    left += 1
                    break
    assert left <= 10


@pytest.mark.req("O3")
def test_intervals_narrow_with_more_observations() -> None:
    """Ten times as many, at the same share, leave less possible; the estimate is inside."""
    few, many = share_interval(200, 10, 0.05), share_interval(20_000, 1_000, 0.05)
    assert few[0] < many[0] < 0.05 < many[1] < few[1]
    assert many[1] - many[0] < 0.02


@pytest.mark.req("O3")
@pytest.mark.req("INV6")
def test_nothing_seen_excludes_nothing() -> None:
    """Without observations everything is possible, and a bound that is unknown says so."""
    assert share_interval(0, 0, 0.05) == (0.0, 1.0)
    assert share_interval(10, 0, 0.05)[0] == 0.0
    assert share_interval(10, 10, 0.05)[1] == 1.0
    assert mean_interval(1, 5.0, 25.0, 0.05) == (-inf, inf)
    low, high = rank_interval(10, 0.99, 0.05)
    assert (low, high) == (9, 11)
    assert rank_interval(0, 0.5, 0.05) == (0, 1)

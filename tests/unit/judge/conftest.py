"""Draws for simulated rollouts: seeded, and without numpy."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from math import comb

import pytest

from switchover.judge.block import Tally
from switchover.judge.sketch import bucket_of

Draw = Callable[[], int]


@pytest.fixture
def binomial() -> Callable[[int, float, int], Draw]:
    """``binomial(n, p, seed)`` gives a function that draws the bad ones of n."""

    def build(n: int, p: float, seed: int) -> Draw:
        rng = random.Random(seed)
        steps = list(accumulate(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n)))
        return lambda: bisect(steps, rng.random())

    return build


@pytest.fixture
def times() -> Callable[[float, int, int], Iterator[Tally]]:
    """``times(median, n, seed)`` draws tallies of n log-normal durations, for ever."""

    def build(median: float, n: int, seed: int) -> Iterator[Tally]:
        rng = random.Random(seed)
        pool = [bucket_of(median * rng.lognormvariate(0, 0.4)) for _ in range(20_000)]
        while True:
            tally = Tally(n=n)
            for bucket in rng.choices(pool, k=n):
                tally.sketch[bucket] = tally.sketch.get(bucket, 0) + 1
            yield tally

    return build

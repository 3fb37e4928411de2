"""Seeded draws of whole rollouts, vectorised: what candidate and legacy do in each minute."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log
from statistics import NormalDist
from zlib import crc32

import numpy as np

from benchmarks.judge.rule import LOOKS
from benchmarks.judge.streams import Gauges, Numbers, Pairs, Rates, Stream, Times
from switchover.judge.sketch import GAMMA

SEED = 20_260_801
#: Between which minutes a sudden change falls, drawn anew for each rollout.
CHANGES = (120, 1200)
#: A slow change begins here and takes this long.
DRIFT_BEGINS, DRIFT_LASTS = 240, 720
#: The spread of log-normal durations.
SIGMA = 0.4
#: Above the 99th percentile of the standard normal.
Z99 = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Course:
    """What a system does: a level, and for a change the level it goes to.

    A level is a bad rate, a p99 or a mean in seconds, or a size. ``change``: none, sudden or
    drift.
    """

    level: float
    to: float | None = None
    change: str = "none"

    def levels(self, at: int) -> Numbers:
        """The level in each minute, given when a sudden change falls."""
        levels = np.full(LOOKS, self.level)
        if self.to is None:
            return levels
        if self.change == "sudden":
            levels[at:] = self.to
        else:
            share = np.clip((np.arange(LOOKS) - DRIFT_BEGINS) / DRIFT_LASTS, 0.0, 1.0)
            levels += share * (self.to - self.level)
        return levels


@dataclass(frozen=True, slots=True)
class Noise:
    """What disturbs both systems or makes observations depend on each other.

    ``clumps``: in-minute correlation of bad ones (beta-binomial). ``outage``: share of all
    requests of both systems that fail during an hour at noon. ``shared``: the share of legacy's
    failures that hit both systems alike. ``wide``: a factor on the variance
    of the candidate's times at the same mean. ``memory``: the autocorrelation of a gauge from
    minute to minute, ``spread`` its standard deviation.
    """

    clumps: float = 0.0
    outage: float = 0.0
    shared: float = 0.0
    wide: float = 1.0
    memory: float = 0.0
    spread: float = 0.0


def generator(name: str, rollout: int) -> np.random.Generator:
    """The source of chance of one rollout of one scenario; the same for every rule."""
    return np.random.default_rng((SEED, crc32(name.encode()), rollout))


def draw(
    rng: np.random.Generator,
    family: str,
    per_minute: float,
    candidate: Course,
    legacy: Course,
    noise: Noise,
) -> tuple[Stream, int]:
    """A day, and the minute at which a sudden change fell."""
    at = int(rng.integers(*CHANGES))
    ours, theirs = candidate.levels(at), legacy.levels(at)
    if family == "gauges":
        return _gauges(rng, ours, theirs, noise), at
    if family in ("p99", "mean"):
        return _times(rng, family, per_minute, ours, theirs, noise), at
    if family == "pairs":
        return _pairs(rng, per_minute, ours, theirs, noise), at
    return _rates(rng, per_minute, ours, theirs, noise), at


def _rates(
    rng: np.random.Generator, per_minute: float, ours: Numbers, theirs: Numbers, noise: Noise
) -> Rates:
    both = rng.poisson(per_minute, (2, LOOKS))
    rates = np.stack((ours, theirs))
    if noise.outage:
        rates[:, 720:780] = 1.0 - (1.0 - rates[:, 720:780]) * (1.0 - noise.outage)
    if noise.clumps:
        size = 1.0 / noise.clumps - 1.0
        rates = rng.beta(rates * size, (1.0 - rates) * size)
    bad = rng.binomial(both, rates)
    return Rates(both[0], bad[0], both[1], bad[1])


def _pairs(
    rng: np.random.Generator, per_minute: float, ours: Numbers, theirs: Numbers, noise: Noise
) -> Pairs:
    n = rng.poisson(per_minute, LOOKS)
    both = noise.shared * theirs
    shares = np.stack((both, ours - both, theirs - both, 1.0 - ours - theirs + both), axis=1)
    fared = rng.multinomial(n, shares)
    return Pairs(n, fared[:, 0], fared[:, 1], fared[:, 2])


def _times(
    rng: np.random.Generator,
    statistic: str,
    per_minute: float,
    ours: Numbers,
    theirs: Numbers,
    noise: Noise,
) -> Times:
    """Log-normal durations by their p99 or mean, counted into the sketch's buckets."""
    off = Z99 * SIGMA if statistic == "p99" else SIGMA**2 / 2.0
    wide = _wider(noise.wide)
    # The same mean as without ``wide``: exp(middle + spread^2/2) stays.
    middles = (np.log(ours) - off + (SIGMA**2 - wide**2) / 2.0, np.log(theirs) - off)
    spreads = (wide, SIGMA)
    step, reach = log(GAMMA), 5.0 * wide
    first = floor((min(middle.min() for middle in middles) - reach) / step)
    last = ceil((max(middle.max() for middle in middles) + reach) / step)
    counts = [
        _counted(rng, rng.poisson(per_minute, LOOKS), middle, spread, first, last)
        for middle, spread in zip(middles, spreads, strict=True)
    ]
    return Times(counts[0], counts[1], first, statistic)


def _counted(
    rng: np.random.Generator, n: np.ndarray, middle: Numbers, spread: float, first: int, last: int
) -> np.ndarray:
    """Counts by minute and bucket; drawn one by one, or by bucket where they are many."""
    step, width = log(GAMMA), last - first + 1
    if n.mean() < 400:
        minutes = np.repeat(np.arange(LOOKS), n)
        values = rng.normal(middle[minutes], spread)
        buckets = np.clip(np.ceil(values / step).astype(np.int64), first, last) - first
        return np.bincount(minutes * width + buckets, minlength=LOOKS * width).reshape(LOOKS, width)
    levels, place = np.unique(middle, return_inverse=True)
    ends = np.arange(first, last) * step
    normal = NormalDist(0.0, spread)
    counts = np.empty((LOOKS, width), dtype=np.int64)
    for number, level in enumerate(levels.tolist()):
        below = np.array([0.0, *(normal.cdf(end - level) for end in ends), 1.0])
        rows = np.flatnonzero(place == number)
        shares = np.diff(below)
        counts[rows] = rng.multinomial(n[rows], shares / shares.sum())
    return counts


def _wider(factor: float) -> float:
    """The spread of a log-normal with ``factor`` times the variance at the same mean."""
    return float(np.sqrt(np.log1p(factor * (exp(SIGMA**2) - 1.0))))


def _gauges(rng: np.random.Generator, ours: Numbers, theirs: Numbers, noise: Noise) -> Gauges:
    """Sizes whose logarithm wanders about its level, each system by itself."""
    shocks = rng.normal(0.0, noise.spread * np.sqrt(1.0 - noise.memory**2), (2, LOOKS))
    shocks[:, 0] = rng.normal(0.0, noise.spread, 2)
    wander = np.empty((2, LOOKS))
    last = np.zeros(2)
    for minute in range(LOOKS):
        last = shocks[:, minute] + (noise.memory * last if minute else 0.0)
        wander[:, minute] = last
    return Gauges(ours * np.exp(wander[0]), theirs * np.exp(wander[1]))

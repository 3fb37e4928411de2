"""Synthetic subjects, so that the example runs on a machine without recordings.

The model, minute by minute:

* A subject has a level (counts per minute when awake), a wake-up time, a sleep length and a
  restlessness of sleep, drawn once. Groups differ as the literature reports: subjects of
  the ``condition`` group are less active by day, sleep later and more brokenly.
* A hidden mood burden follows a first-order autoregression over the days (0.75 of
  yesterday plus noise); the condition group has a higher mean. On a burdened day the level
  falls, the phase moves later and sleep breaks up. This is what makes tomorrow predictable
  from the week before, within limits.
* Counts are gamma distributed around the intended level (bursts), rounded, and mostly zero
  in sleep.

Every subject has its own stream, seeded by ``(seed, number)``: subject 7 is the same
whether 10 or 500 subjects are made.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from examples.mood.actigraphy import Counts, Recording

#: The documented seed of the example: models, traffic and tests start from it.
SEED = 20260105
START = datetime(2026, 1, 5, 9, 0)
DAY = 1440


def generate(*, subjects: int, days: int, seed: int = SEED) -> list[Recording]:
    """``subjects`` recordings of ``days`` days; every second subject is of the condition group."""
    if subjects < 1 or days < 1:
        raise ValueError("subjects and days are at least 1")
    return [_subject(number, days, seed) for number in range(subjects)]


def _subject(number: int, days: int, seed: int) -> Recording:
    rng = np.random.default_rng([seed, number])
    depressed = number % 2 == 0
    level = rng.lognormal(np.log(390.0 if depressed else 430.0), 0.30)
    wake = rng.normal(8.0 if depressed else 7.2, 0.9)
    asleep = rng.normal(8.0 if depressed else 7.6, 0.7)
    restless = rng.uniform(0.02, 0.08) * (1.5 if depressed else 1.0)
    burden = _burden(rng, days + 1, mean=0.9 if depressed else -0.3)
    start = START + timedelta(days=int(rng.integers(0, 28)), hours=int(rng.integers(0, 6)))
    minutes = start.hour * 60 + np.arange(days * DAY)
    today = burden[minutes // DAY]
    hour = minutes % DAY / 60.0
    since_wake = (hour - wake - 0.4 * today) % 24.0
    awake = since_wake < 24.0 - asleep
    counts = _counts(rng, level * np.exp(-0.30 * today), since_wake, awake, asleep)
    broken = (rng.random(counts.size) < restless * np.exp(0.35 * today)) & ~awake
    counts[broken] += rng.gamma(0.8, level * 0.35, int(broken.sum()))
    group = "condition" if depressed else "control"
    return Recording(f"generated_{number:04d}", group, start, np.round(counts))


def _burden(rng: np.random.Generator, days: int, mean: float) -> Counts:
    burden = np.empty(days)
    burden[0] = mean + rng.normal(0.0, 0.9)
    for day in range(1, days):
        burden[day] = mean + 0.75 * (burden[day - 1] - mean) + rng.normal(0.0, 0.6)
    return burden


def _counts(
    rng: np.random.Generator,
    level: Counts,
    since_wake: Counts,
    awake: NDArray[np.bool_],
    asleep: float,
) -> Counts:
    """Gamma counts around a day that rises, dips after lunch and fades towards bedtime."""
    share = since_wake / (24.0 - asleep)
    dip = 1.0 - 0.2 * np.exp(-(((share - 0.45) / 0.06) ** 2))
    shape = np.sin(np.pi * np.clip(share, 0.0, 1.0)) ** 0.7 * dip
    intended = np.where(awake, level * (0.15 + 0.95 * shape), 2.0)
    return rng.gamma(0.7, intended / 0.7)

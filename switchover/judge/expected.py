"""What a stage is expected to bring to each kind of gate: looks of a steady stream, in numbers.

A forecast asks the judge itself: it is shown the counts that so many seconds of traffic bring
on average, and says whether they would do. Every gain of evidence is linear in the counts (of
drift and the mean, in shares and sums), so an average stream gains what streams gain on
average, by the judge's own code (Wald, "Sequential Analysis", 1947). Counts may be fractions.

``level`` is what is expected of the candidate, in the terms of its kind: a bad rate
(proportion, relative_rate), the share of values above the limit (quantile, relative_quantile),
a difference of two bad rates (paired), a mean, a growth (memory), a distance (drift), a
deviation (sample_ratio), events per observation (count). ``base`` is legacy's side of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import cast

from switchover.judge.block import Look, Tally
from switchover.judge.gate import GateSpec


@dataclass(frozen=True, slots=True)
class Flow:
    """What a stage brings: observations per second of each system (shadow calls included), and
    requests served per second; ``split`` is the candidate's share of those. ``past`` holds how
    many observations of legacy and of pairs earlier stages brought."""

    legacy: float
    candidate: float
    pair: float = 0.0
    requests: float = 0.0
    split: float | None = None
    past: Mapping[str, float] = field(default_factory=dict, hash=False)


class Expected(ABC):
    """What the forecast has to know of one kind; most judge observations of the candidate."""

    #: Legacy's side of it, unless told otherwise.
    base = 0.0
    #: The least level there is.
    best = 0.0
    #: Standard errors by which what decides a promotion is worse than the level on average.
    lean = 0.0
    #: What one observation is called.
    unit = "observations"

    def level(self, spec: GateSpec, base: float) -> float:
        """What a candidate brings that is halfway between perfect and its promote limit."""
        return spec.to_promote / 2.0

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        """The level that is just allowed, and the worst that there is."""
        return spec.limit, 1.0

    def per_second(self, spec: GateSpec, flow: Flow) -> float:
        """How many observations are judged."""
        return flow.candidate

    def lead(self, spec: GateSpec, flow: Flow) -> float:
        """Seconds at the beginning from which the gate only learns."""
        return 0.0

    def past(self, spec: GateSpec, flow: Flow, base: float) -> Sequence[Look]:
        """What it has learnt from before, with what it learns from in the lead."""
        return ()

    @abstractmethod
    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        """The counts of so many seconds."""

    def enlarged(self, spec: GateSpec, flow: Flow, seconds: float) -> float:
        """By what the seconds are multiplied where counts have to be whole; else 1."""
        return 1.0

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        """The standard error of the level that ``n`` observations show."""
        return sqrt(level * (1.0 - level) / n)


def share_of(n: float, rate: float) -> Tally:
    """``n`` observations of which a share is bad; either may be a fraction."""
    return Tally(n=cast("int", n), bad=cast("int", n * rate))


def spread_over(counts: Mapping[int, float]) -> Tally:
    """Values by their bucket; counts may be fractions."""
    return Tally(n=cast("int", sum(counts.values())), sketch=cast("dict[int, int]", dict(counts)))

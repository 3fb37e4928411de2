"""GrowthBook: an asymptotic confidence sequence of the relative difference of two means.

Published in growthbook/growthbook: `packages/stats/gbstats/frequentist/tests.py`
(SequentialOneSidedTreatmentGreaterTTest; alpha 0.05, tuning parameter 5000),
`docs/statistics/sequential.mdx` (the tuning parameter is the number of observations of both
arms at which one tends to decide) and `docs/features/safe-rollouts.mdx` (a guardrail that is
significantly worse rolls back). The interval is Waudby-Smith et al., "Time-uniform central limit
theory and asymptotic confidence sequences", arXiv 2103.06476, equation 134.

GrowthBook has no limit but "no worse than control"; here it rolls back when the lower bound
lies above the gate's limit, so that all rules are asked the same. It looks every minute, which its
interval allows. It knows means and shares, no quantiles of this kind: for times it compares
means, for memory the minute's readings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.judge.rule import Limit, Outcome
from benchmarks.judge.streams import Moments, Numbers, Stream


@dataclass(frozen=True, slots=True)
class GrowthBook:
    """A safe rollout with one guardrail; ``tuning`` None: the observations of the whole day."""

    name: str
    alpha: float = 0.05
    tuning: float | None = 5000.0

    @property
    def settings(self) -> str:
        told = "a day's observations" if self.tuning is None else f"{self.tuning:,.0f}"
        return f"alpha {self.alpha:g}, tuning parameter {told}"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        candidate, legacy = stream.moments()
        found = np.flatnonzero(self.lower(candidate, legacy) > limit.ratio - 1.0)
        if found.size:
            return Outcome(int(found[0]), promoted=False)
        return Outcome(None, promoted=True)

    def lower(self, candidate: Moments, legacy: Moments, relative: bool = True) -> Numbers:
        """The interval's lower bound after each minute; minus infinity while there is none."""
        bound = np.full(len(candidate.n), -np.inf)
        known = (candidate.n > 1) & (legacy.n > 1)
        known &= (candidate.variance > 0) & (legacy.variance > 0)
        a, b = _part(legacy, known), _part(candidate, known)
        if relative:
            estimate = (b.mean - a.mean) / a.mean
            squared = b.variance / b.n / a.mean**2 + a.variance / a.n * b.mean**2 / a.mean**4
        else:
            estimate, squared = b.mean - a.mean, b.variance / b.n + a.variance / a.n
        n = a.n + b.n
        tuning = self.tuning or candidate.n[-1] + legacy.n[-1]
        told = n * _rho(self.alpha, float(tuning)) ** 2
        growth = np.log1p(np.sqrt(told + 1.0) / (2.0 * self.alpha))
        bound[known] = estimate - np.sqrt(squared * 2.0 * (told + 1.0) / told * growth)
        return bound


def _rho(alpha: float, tuning: float) -> float:
    doubled = -2.0 * np.log(2.0 * alpha)
    return float(np.sqrt((doubled + np.log(doubled + 1.0)) / tuning))


def _part(moments: Moments, known: np.ndarray) -> Moments:
    return Moments(moments.n[known], moments.mean[known], moments.variance[known])


RULES = (
    GrowthBook("GrowthBook 5 %"),
    GrowthBook("GrowthBook 1 %", alpha=0.01, tuning=None),
)

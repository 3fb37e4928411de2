"""Kayenta: Mann and Whitney's test on the minutes of both systems, with a least effect.

Published in spinnaker/kayenta: `NetflixACAJudge.scala` (tolerance 0.25 and confidence 0.98 are
fixed there), `MannWhitneyClassifier.scala`, `EffectSizes.scala` (ratio of means),
`MannWhitney.scala` (the interval of the shift), `WeightedSumScorer.scala`,
`ThresholdScoreClassifier.scala`, `MonitorCanaryTask.java` (a judgement at or below the marginal
score ends the analysis, the last one has to reach the pass score) and `docs/canary-config.md`.

- The interval of the shift are the roots of the normal deviate of U, with continuity and ties
  corrected, at the quantiles of the confidence; the estimate is its root at 0. The deviate falls
  as the shift grows, so any bracketing method finds the same root; Kayenta stops at 1e-4.
- High (and so failed) iff the lower end lies above 0.25 times the estimate and the ratio of
  means is `allowedIncrease` at least. Here `allowedIncrease` is the gate's limit.
- With one metric the score is 100 or 0, so that any marginal and pass score decide alike.
- Minutes without a value are left out (nanStrategy remove, the default).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isnan, nan, sqrt
from statistics import NormalDist

import numpy as np

from benchmarks.judge.rule import LOOKS, Limit, Outcome
from benchmarks.judge.streams import Numbers, Stream

TOLERANCE = 0.25
CONFIDENCE = 0.98
_CLOSE = 1e-4
#: Values are told in per cent, milliseconds and megabytes, as people's queries do: the root's
#: closeness is absolute.
_SCALE = 1000.0


class Label(StrEnum):
    """What the classifier says of a metric (the candidate being lower is never asked here)."""

    PASS = "Pass"
    HIGH = "High"
    NODATA = "Nodata"


@dataclass(frozen=True, slots=True)
class Kayenta:
    """A canary analysis with one metric, direction increase, minutes as points.

    ``interval`` is analysisIntervalMins, which is the whole lifetime unless given; each
    judgement is over all minutes so far, or the last ``lookback``. ``marginal`` and ``passing``
    are the score thresholds.
    """

    name: str
    interval: int = LOOKS
    lookback: int = 0
    marginal: float = 75.0
    passing: float = 90.0

    @property
    def settings(self) -> str:
        span = f"the last {self.lookback} min" if self.lookback else "all so far"
        often = "once, at the end" if self.interval >= LOOKS else f"every {self.interval} min"
        return f"judged {often}, over {span}"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        candidate, legacy = (_SCALE * series for series in stream.windows(1))
        score = 0.0
        for end in range(self.interval, LOOKS + 1, self.interval):
            begin = end - self.lookback if self.lookback else 0
            score = self.score(
                classify(
                    _known(candidate[max(0, begin) : end]),
                    _known(legacy[max(0, begin) : end]),
                    limit.ratio,
                    seed=seed,
                )
            )
            if score <= self.marginal:
                return Outcome(end - 1, promoted=False)
        return Outcome(None, promoted=score >= self.passing)

    def score(self, label: Label) -> float:
        """Of a configuration with this one metric; no data in all metrics is 0 as well."""
        return 100.0 if label is Label.PASS else 0.0


def classify(
    experiment: Numbers,
    control: Numbers,
    allowed_increase: float = 1.0,
    *,
    tolerance: float = TOLERANCE,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Label:
    """One metric of both systems, direction increase."""
    if not len(experiment) or not len(control):
        return Label.NODATA
    if len(experiment) == len(control) and (np.sort(experiment) == np.sort(control)).all():
        return Label.PASS
    if len(np.unique(np.concatenate((experiment, control)))) == 1:
        return Label.PASS
    if len(np.unique(experiment)) == 1 and len(np.unique(control)) == 1:
        rng = np.random.default_rng(seed)
        experiment, control = (
            values + rng.normal(0.0, abs(values[0]) * 1e-5, len(values))
            for values in (experiment, control)
        )
    effect = mean_ratio(experiment, control)
    # Kayenta asks this last; the answer is the same, and the test is the costly part.
    if not isnan(effect) and effect < allowed_increase:
        return Label.PASS
    test = MannWhitney(experiment, control)
    lower = test.root(-NormalDist().inv_cdf((1.0 - confidence) / 2.0))
    return Label.HIGH if lower > tolerance * abs(test.root(0.0)) else Label.PASS


def mean_ratio(experiment: Numbers, control: Numbers) -> float:
    """The effect size; not a number, and then left out, when a mean is 0."""
    ours, theirs = float(experiment.mean()), float(control.mean())
    return ours / theirs if ours and theirs else nan


class MannWhitney:
    """The shift of ``x`` against ``y``."""

    def __init__(self, x: Numbers, y: Numbers) -> None:
        self._x, self._x_counts = np.unique(x, return_counts=True)
        self._y, self._y_counts = np.unique(y, return_counts=True)
        self._sorted = np.sort(y)
        self._m, self._n = len(x), len(y)
        self._own_ties = float(_ties(self._x_counts).sum() + _ties(self._y_counts).sum())
        self._least, self._most = float(x.min() - y.max()), float(x.max() - y.min())

    def deviate(self, shift: float) -> float:
        """How many standard deviations U of ``x - shift`` and ``y`` lies above its mean."""
        x = self._x - shift
        below = np.searchsorted(self._sorted, x, side="left")
        up_to = np.searchsorted(self._sorted, x, side="right")
        off = float((self._x_counts * (below + up_to)).sum()) / 2.0 - self._m * self._n / 2.0
        ties = self._own_ties
        both = np.flatnonzero(up_to > below)
        if both.size:
            ours, theirs = self._x_counts[both], (up_to - below)[both]
            ties += float((_ties(ours + theirs) - _ties(ours) - _ties(theirs)).sum())
        whole = self._m + self._n
        variance = self._m * self._n / 12.0 * (whole + 1 - ties / (whole * (whole - 1)))
        if variance <= 0.0:
            raise ValueError("all observations are tied, so there is no interval")
        return (off - 0.5 * float(np.sign(off))) / sqrt(variance)

    def root(self, quantile: float) -> float:
        """The shift at which the deviate falls to ``quantile``."""
        low, high = self._least, self._most
        if self.deviate(low) <= quantile:
            return low
        if self.deviate(high) >= quantile:
            return high
        while high - low > _CLOSE:
            middle = (low + high) / 2.0
            deviate = self.deviate(middle)
            if deviate == quantile:
                return middle
            low, high = (middle, high) if deviate > quantile else (low, middle)
        return (low + high) / 2.0


def _ties(counts: np.ndarray) -> np.ndarray:
    counts = counts.astype(float)
    return counts**3 - counts


def _known(values: Numbers) -> Numbers:
    return values[~np.isnan(values)]


RULES = (
    Kayenta("Kayenta hourly", interval=60),
    Kayenta("Kayenta once"),
)

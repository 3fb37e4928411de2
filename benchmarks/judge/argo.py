"""Argo Rollouts: a point estimate per interval, and how many of them may fail.

Published in argoproj/argo-rollouts: `analysis/analysis.go` (when a metric is Failed or an Error),
`utils/evaluate/evaluate.go` (what a condition makes of a measurement), `utils/defaults/defaults.go`
(consecutiveErrorLimit 4) and `docs/features/analysis.md` (the example: every 5 minutes,
`successCondition: result[0] >= 0.95`, `failureLimit: 3`; `failureLimit` is 0 unless given).

- A measurement is Failed when the success condition does not hold. Failed measurements add up
  over the whole analysis: more than `failureLimit` of them end it as Failed.
- A measurement that could not be taken is an Error: more than `consecutiveErrorLimit` in a row end
  it too. The simulated source always answers.
- A background analysis that is ended with the rollout is Successful.

In favour of Argo: the estimate is over the whole interval (the documentation's `irate` takes the
last two samples only), and a window without traffic is a success (`isNaN(result) || ...`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import isnan

import numpy as np

from benchmarks.judge.rule import Limit, Outcome
from benchmarks.judge.streams import Numbers, Stream


class Phase(StrEnum):
    """Of a measurement, and of the analysis."""

    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Argo:
    """An AnalysisTemplate with one metric."""

    name: str
    interval: int = 5
    failure_limit: int = 3
    consecutive_error_limit: int = 4

    @property
    def settings(self) -> str:
        return f"interval {self.interval}m, failureLimit {self.failure_limit}"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        estimates = against(stream, limit, self.interval)
        most = limit.ratio if limit.value is None else limit.value
        taken = (
            Phase.SUCCESSFUL if isnan(value) or value <= most else Phase.FAILED
            for value in estimates.tolist()
        )
        phase, ended = self.assess(taken)
        if phase is Phase.SUCCESSFUL:
            return Outcome(None, promoted=True)
        return Outcome(ended * self.interval - 1, promoted=False)

    def assess(self, measurements: Iterable[Phase]) -> tuple[Phase, int]:
        """The analysis over measurements in turn: its phase, and how many it took."""
        failed = errors = count = 0
        for count, phase in enumerate(measurements, start=1):
            failed += phase is Phase.FAILED
            errors = errors + 1 if phase is Phase.ERROR else 0
            if errors > self.consecutive_error_limit:
                return Phase.ERROR, count
            if failed > self.failure_limit:
                return Phase.FAILED, count
        return Phase.SUCCESSFUL, count


def against(stream: Stream, limit: Limit, minutes: int) -> Numbers:
    """The estimate of each window: the candidate's own, or its ratio to legacy's."""
    candidate, legacy = stream.windows(minutes)
    if limit.value is not None:
        return candidate
    # 0/0 is not a number, and anything over nothing is infinite: as PromQL has it.
    with np.errstate(divide="ignore", invalid="ignore"):
        return candidate / legacy


RULES = (
    Argo("Argo 5m"),
    Argo("Argo 30m", interval=30, failure_limit=5),
)

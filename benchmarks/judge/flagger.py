"""Flagger: a point estimate per interval, and a number of failed checks.

Published in fluxcd/flagger: `pkg/controller/scheduler.go` (advanceCanary) and
`pkg/controller/scheduler_metrics.go` (runBuiltinMetricChecks, runMetricChecks),
`pkg/apis/flagger/v1beta1/canary.go` (threshold 1, interval 60s and metric interval 1m unless
given), `docs/gitbook/usage/how-it-works.md` (the example: interval 1m, threshold 10).

- A check fails when the value lies outside its `thresholdRange`, and when there is no value.
- Failed checks add up over the whole analysis, and nothing takes them back. The run that finds
  `failedChecks >= threshold` rolls back: the one after the check that failed.
- A run whose checks fail does not advance. Here the analysis lasts a day however many fail,
  as if `iterations` were counted in runs; that is in favour of neither.

In favour of Flagger: p99 is read exactly, not from a histogram's buckets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.judge.argo import against
from benchmarks.judge.rule import Limit, Outcome
from benchmarks.judge.streams import Stream


@dataclass(frozen=True, slots=True)
class Flagger:
    """A Canary's analysis with one metric, whose window is the analysis interval."""

    name: str
    interval: int = 1
    threshold: int = 10

    @property
    def settings(self) -> str:
        return f"interval {self.interval}m, threshold {self.threshold}"

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        most = limit.ratio if limit.value is None else limit.value
        estimates = against(stream, limit, self.interval)
        run = self.rolls_back(value <= most for value in estimates.tolist())
        if run is None:
            return Outcome(None, promoted=True)
        return Outcome((run + 1) * self.interval - 1, promoted=False)

    def rolls_back(self, checks: Iterable[bool]) -> int | None:
        """The run (from 0) that rolls back, given which checks pass; None if none does."""
        failed = 0
        for run, passes in enumerate(checks):
            failed += not passes
            if failed >= self.threshold:
                return run + 1
        return None


RULES = (
    Flagger("Flagger 1m"),
    Flagger("Flagger 15m", interval=15, threshold=10),
)

"""Forecasts of the kinds that measure values: quantiles, means, distributions, memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, inf, log, sqrt
from statistics import NormalDist

from switchover.judge.block import Look, Tally
from switchover.judge.bound import SURE
from switchover.judge.drift import LEARNT
from switchover.judge.expected import Expected, Flow, spread_over
from switchover.judge.expected_rates import RelativeRate
from switchover.judge.gate import GateSpec
from switchover.judge.relative_quantile import steps
from switchover.judge.sketch import bucket_of

_NORMAL = NormalDist()
#: Where legacy's quantile lies on a scale of its own, and how far away its slow answers are.
_THRESHOLD, _FAR = 0, 2_000


class Quantile(Expected):
    """Values on either side of the limit."""

    def level(self, spec: GateSpec, base: float) -> float:
        return (1.0 - spec.quantile) / 2.0

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return 1.0 - spec.quantile, 1.0

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        n = flow.candidate * seconds
        # On either side of the buckets that straddle the limits.
        fast, slow = bucket_of(spec.to_promote) - 1, bucket_of(spec.limit) + 1
        return {spec.metric: {"candidate": spread_over({fast: n * (1.0 - level), slow: n * level})}}


class RelativeQuantile(RelativeRate):
    """Shares above legacy's quantile; ``base`` is not asked for, it follows from the quantile."""

    base = 0.0

    def level(self, spec: GateSpec, base: float) -> float:
        return (1.0 - spec.quantile) / 2.0

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return 1.0 - spec.quantile, 1.0

    def lead(self, spec: GateSpec, flow: Flow) -> float:
        # A first value of legacy's, to have a threshold at all.
        if flow.past.get("legacy", 0.0) >= 1.0:
            return 0.0
        return 1.0 / flow.legacy if flow.legacy else inf

    def past(self, spec: GateSpec, flow: Flow, base: float) -> Sequence[Look]:
        n = max(spec.least(1.0 - spec.quantile), round(flow.past.get("legacy", 0.0)))
        return ({spec.metric: {"legacy": self._theirs(spec, n)}},)

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        n, allowed = flow.candidate * seconds, 1.0 - spec.quantile
        # The floor's threshold lies three standard errors below legacy's quantile; as much more of
        # the candidate lies above that as of legacy.
        known = max(spec.least(allowed), flow.past.get("legacy", 0.0)) + flow.legacy * seconds
        more = min(1.0 - level, level * SURE * sqrt(spec.quantile / (allowed * known)))
        near = _THRESHOLD + steps(spec.limit, spec.to_promote)[1]
        systems = {
            "candidate": spread_over(
                {-_FAR: n * (1.0 - level - more), near: n * more, _FAR: n * level}
            )
        }
        if flow.legacy:
            systems["legacy"] = self._theirs(spec, flow.legacy * seconds)
        return {spec.metric: systems}

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        return super().spread(spec, flow, n, level, 1.0 - spec.quantile)

    @staticmethod
    def _theirs(spec: GateSpec, n: float) -> Tally:
        # A little less than allowed, so that rounding can't move the quantile to the slow ones.
        slow = n * (1.0 - spec.quantile) * 0.999
        return spread_over({_THRESHOLD: n - slow, _FAR: slow})


class Mean(Expected):
    """Values of a log-normal shape that spread as much as their mean."""

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return spec.limit, 50.0 * spec.limit

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        weight = flow.candidate * seconds / len(_shape())
        counts: dict[int, float] = {}
        for value in _shape():
            bucket = bucket_of(value * level)
            counts[bucket] = counts.get(bucket, 0.0) + weight
        tally = spread_over(counts)
        tally.total = weight * level * sum(_shape())
        tally.total_squares = weight * level * level * sum(value * value for value in _shape())
        return {spec.metric: {"candidate": tally}}

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        return level / sqrt(n)


class Drift(Expected):
    """The candidate's distribution is legacy's, moved along until they are a level apart."""

    #: The worst of eighteen sides decides: the greatest of the errors of those around the median,
    #: which go together, is about a third of one.
    lean = 0.35

    def lead(self, spec: GateSpec, flow: Flow) -> float:
        short = max(0.0, LEARNT - flow.past.get("legacy", 0.0))
        return (short / flow.legacy if flow.legacy else inf) if short else 0.0

    def past(self, spec: GateSpec, flow: Flow, base: float) -> Sequence[Look]:
        more = flow.past.get("legacy", 0.0) - LEARNT
        looks = [{spec.metric: {"legacy": self._cells(LEARNT, 0.0)}}]
        if more >= 1.0:
            looks.append({spec.metric: {"legacy": self._cells(more, 0.0)}})
        return looks

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return spec.limit, 0.999

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        systems = {"candidate": self._cells(flow.candidate * seconds, level)}
        if flow.legacy:
            systems["legacy"] = self._cells(flow.legacy * seconds, 0.0)
        return {spec.metric: systems}

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        theirs = n * flow.legacy / flow.candidate
        return 0.5 * sqrt(1.0 / n + (1.0 / theirs if theirs else 0.0))

    @staticmethod
    def _cells(n: float, level: float) -> Tally:
        """Ten cells between legacy's deciles; the median is the edge furthest apart."""
        moved = 2.0 * _NORMAL.inv_cdf((1.0 + level) / 2.0)
        at_most = [_NORMAL.cdf(_NORMAL.inv_cdf(decile / 10.0) - moved) for decile in range(1, 10)]
        ends = [0.0, *at_most, 1.0]
        return spread_over({10 * cell: n * (ends[cell + 1] - ends[cell]) for cell in range(10)})


class Memory(Expected):
    """Intervals; ``base`` is the noise of one, as a standard deviation of the log ratio."""

    base = 0.05
    unit = "intervals"

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return spec.limit, 20.0 + 20.0 * abs(spec.limit)

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        gauges = {"candidate": Tally(n=1, total=1.0 + level), "legacy": Tally(n=1, total=1.0)}
        return {spec.metric: gauges}

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        return (1.0 + level) * base / sqrt(n)


@cache
def _shape() -> tuple[float, ...]:
    """A hundred values with a mean of 1 and a standard deviation near 1."""
    spread = sqrt(log(2.0))
    values = [exp(spread * _NORMAL.inv_cdf((place + 0.5) / 100)) for place in range(100)]
    return tuple(value * 100 / sum(values) for value in values)

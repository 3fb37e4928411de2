"""Forecasts of the kinds that count outcomes: rates, pairs, events, and who served a request."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

from switchover.judge.block import Look, Tally
from switchover.judge.expected import Expected, Flow, share_of
from switchover.judge.gate import LEAST, GateSpec

#: Counts that have to be whole are taken so many times as large, and the gain divided by it.
_WHOLE = 1e7


class Proportion(Expected):
    """``base`` is how often legacy differs from itself, where the gate has a noise metric."""

    base = 0.01

    def __init__(self, paired: frozenset[str]) -> None:
        self._paired = paired

    def level(self, spec: GateSpec, base: float) -> float:
        return 1.0 - (1.0 - spec.to_promote / 2.0) * (1.0 - self._noise(spec, base))

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return 1.0 - (1.0 - spec.limit) * (1.0 - self._noise(spec, base)), 1.0

    def per_second(self, spec: GateSpec, flow: Flow) -> float:
        return flow.pair if self._of_pairs(spec) else flow.candidate

    def lead(self, spec: GateSpec, flow: Flow) -> float:
        if spec.noise is None:
            return 0.0
        short = max(0.0, LEAST - flow.past.get("pair", 0.0))
        return short / flow.pair if flow.pair else inf

    def past(self, spec: GateSpec, flow: Flow, base: float) -> Sequence[Look]:
        if spec.noise is None:
            return ()
        n = max(LEAST, round(flow.past.get("pair", 0.0)))
        return ({spec.noise: {"pair": Tally(n=n, bad=round(base * n))}},)

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        seen = share_of(self.per_second(spec, flow) * seconds, level)
        if self._of_pairs(spec):
            return {spec.metric: {"pair": seen}}
        # Recorders count both systems; what legacy shows tells whether failures come in bursts.
        theirs = {"legacy": share_of(flow.legacy * seconds, level)} if flow.legacy else {}
        return {spec.metric: {"candidate": seen, **theirs}}

    def _of_pairs(self, spec: GateSpec) -> bool:
        return spec.noise is not None or spec.metric in self._paired

    @staticmethod
    def _noise(spec: GateSpec, base: float) -> float:
        return base if spec.noise is not None else 0.0


class RelativeRate(Expected):
    """``base`` is legacy's bad rate; the candidate's is expected halfway to the limit."""

    base = 0.01

    def level(self, spec: GateSpec, base: float) -> float:
        ratio = spec.to_promote
        return base * ((1.0 + ratio) / 2.0 if ratio > 1.0 else ratio / 2.0)

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return min(1.0, spec.limit * base), 1.0

    def past(self, spec: GateSpec, flow: Flow, base: float) -> Sequence[Look]:
        n = round(flow.past.get("legacy", 0.0))
        return ({spec.metric: {"legacy": share_of(n, base)}},) if n else ()

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        return {
            spec.metric: {
                "candidate": share_of(flow.candidate * seconds, level),
                "legacy": share_of(flow.legacy * seconds, base),
            }
        }

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        theirs = n * flow.legacy / flow.candidate
        # A ratio of two counts: their relative variances add.
        return level * sqrt(
            (1.0 - level) / (n * level) + ((1.0 - base) / (theirs * base) if theirs * base else 0.0)
        )


class Paired(Expected):
    """``base`` is how often either system fails alone, apart from the difference."""

    base = 0.01
    best = -0.9
    unit = "pairs"

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return spec.limit, 1.0 - 2.0 * base

    def per_second(self, spec: GateSpec, flow: Flow) -> float:
        return flow.pair

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        n = flow.pair * seconds
        up, down = round(n * (base + max(level, 0.0))), round(n * (base + max(-level, 0.0)))
        tally = Tally(n=round(n), bad=up, total=up - down, total_squares=up + down)
        return {spec.metric: {"pair": tally}}

    def enlarged(self, spec: GateSpec, flow: Flow, seconds: float) -> float:
        return max(1.0, _WHOLE / (flow.pair * seconds))

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        return sqrt((2.0 * base + abs(level) - level * level) / n)


class SampleRatio(Expected):
    """Requests by the system that served them."""

    unit = "requests"

    def level(self, spec: GateSpec, base: float) -> float:
        return 0.0

    def bounds(self, spec: GateSpec, base: float) -> tuple[float, float]:
        return spec.limit, 1.0

    def per_second(self, spec: GateSpec, flow: Flow) -> float:
        return flow.requests

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        n, split = flow.requests * seconds, flow.split or 0.0
        ours = min(1.0, max(0.0, split + (level if split <= 0.5 else -level)))
        systems = {"candidate": share_of(n * ours, 0.0), "legacy": share_of(n * (1.0 - ours), 0.0)}
        return {spec.metric: systems}

    def spread(self, spec: GateSpec, flow: Flow, n: float, level: float, base: float) -> float:
        split = flow.split or 0.0
        return sqrt(split * (1.0 - split) / n)


class Count(Expected):
    """Events per observation; none is expected."""

    def level(self, spec: GateSpec, base: float) -> float:
        return 0.0

    def look(self, spec: GateSpec, flow: Flow, seconds: float, level: float, base: float) -> Look:
        return {spec.metric: {"candidate": share_of(flow.candidate * seconds, level)}}

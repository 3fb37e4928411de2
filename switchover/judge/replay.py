"""Replay: judge recorded observations look by look, as the engine would have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, isfinite

from switchover.judge.block import SYSTEMS, Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import StageReading

_YES_NO = ("proportion", "relative_rate")


@dataclass(frozen=True, slots=True)
class Observation:
    """One recorded value, or ``n`` of them at once.

    ``value`` of a yes/no metric is the share of good ones (1 or 0 for a single one), of a count
    the number of events, of anything else the measured value. ``at`` is in seconds. Raises
    ``ValueError``.
    """

    at: float
    system: str
    metric: str
    value: float
    n: int = 1

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise ValueError(f"unknown system {self.system!r}; one of {', '.join(SYSTEMS)}")
        if not isfinite(self.at) or self.n < 1:
            raise ValueError(f"time {self.at} or count {self.n} of {self.metric} is impossible")


def replay(
    gates: Sequence[GateSpec],
    rules: Rules,
    observations: Iterable[Observation],
    *,
    every: float = 60.0,
    stage: str = "replay",
    stage_kind: str = "canary",
    bake: float = 0.0,
) -> Iterator[tuple[float, StageReading]]:
    """A reading at the end of every look that saw something: its time, and the verdict.

    A look spans ``every`` seconds, the stage ``bake`` at least. Observations come sorted by
    time; raises ``ValueError`` where they don't.
    """
    kinds_of: dict[str, set[str]] = {}
    for gate in gates:
        kinds_of.setdefault(gate.metric, set()).add(gate.kind)
    evidence = enter_stage(begin(gates), stage, stage_kind)
    look: dict[str, dict[str, Tally]] = {}
    first = ends = previous = None

    def judge(at: float, since: float) -> StageReading:
        return assess(
            gates,
            rules,
            evidence,
            stage_kind=stage_kind,
            dwell_over=at - since >= bake,
            dwell_left=max(0.0, bake - (at - since)),
        )

    for seen in observations:
        if previous is not None and seen.at < previous:
            raise ValueError(f"observations are not sorted by time: {seen.at} after {previous}")
        previous = seen.at
        if first is None or ends is None:
            first = floor(seen.at / every) * every
            ends = first + every
        if seen.at >= ends:
            evidence = observe(gates, rules, evidence, look, at=ends - every)
            yield ends, judge(ends, first)
            look, ends = {}, (floor(seen.at / every) + 1) * every
        tally = look.setdefault(seen.metric, {}).setdefault(seen.system, Tally())
        tally.add(_tally(seen, kinds_of.get(seen.metric, set())))
    if first is not None and ends is not None:
        evidence = observe(gates, rules, evidence, look, at=ends - every)
        yield ends, judge(ends, first)


def _tally(seen: Observation, kinds: set[str]) -> Tally:
    """An observation as the counts that the kinds of its metric's gates look at."""
    value, n = seen.value, seen.n
    tally = Tally(n=n, total=value * n, total_squares=value * value * n)
    if kinds & {"quantile", "relative_quantile"}:
        tally.sketch[bucket_of(value)] = n
    if kinds & set(_YES_NO):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{seen.metric} at {seen.at}: a share of good ones from 0 to 1")
        tally.bad = n - round(value * n)
    elif "count" in kinds:
        # More events than opportunities were written down: each event was one at least.
        if not 0.0 <= value < float("inf"):
            raise ValueError(f"{seen.metric} at {seen.at}: a number of events from 0")
        tally.bad = round(value)
        tally.n = max(n, tally.bad)
    return tally

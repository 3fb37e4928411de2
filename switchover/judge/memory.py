"""Memory: the candidate's memory is at most a share ``limit`` above that of legacy.

Per interval (a minute) x = ln(mean candidate gauge / mean legacy gauge). Gauges are strongly
autocorrelated, so x is prewhitened as a first-order autoregression: y = (x - phi x') /
(1 - phi), x' the interval before, has the same long-run mean and, given the past, noise
independent of it. phi is the least-squares slope over the past, plus its small-sample bias (that
of Kendall, "Note on bias in the estimation of autocorrelation", 1954, and as much again times
60/n for few pairs n, in which a slow wave looks like a level of its own) and one standard error,
at most 0.97: whitening too much only delays, too little is a false alarm.

H0: the long-run mean is at most m = ln(1 + limit). With z = (y - m)/s cut off at +-1, s
from past residuals, symmetric noise gives E[z | past] <= 0, and 1 + lambda z is a fair bet
for every lambda in (0, 1) (Waudby-Smith and Ramdas 2023, with the bounded score of Huber 1964 in
place of the raw value, so that no outlier wins more than its stake). Nine lambdas, mixed.

phi and s come from the data, so the bound is exact for known phi only; the page of the benchmark
tells how often a candidate on the limit is rolled back at 0.9 and at 0.97, which is nearly a random
walk over a day. The first twenty intervals only teach. A step of the level teaches nothing of phi,
or memory that is suddenly larger would pass for a slow wandering.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1, floor, inf, log, log1p, sqrt

from switchover.judge.block import Look
from switchover.judge.evidence import GateEvidence, bet_against, bet_in_favour
from switchover.judge.gate import GateSpec, readable
from switchover.judge.reading import Seen, percent, read
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading

#: Fewest intervals before any promotion.
LEAST = 10
_SYSTEMS = ("candidate", "legacy")
_STAKES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
_WARM_UP = 20
_KEEP = 0.998
_PHI_MOST = 0.97
#: Pairs at which the bias is taken twice; two in three of the false alarms came within 90 minutes.
_FEW = 60.0
#: Noise below two in a thousand is as good as none.
_SPREAD_LEAST = 0.002
#: An interval with a larger share of unreadable values says nothing of either system.
_UNREADABLE_MOST = 0.1
#: A sum and a log ratio stay within these, so that all arithmetic is finite.
_SUM_MOST = 1e308
_RATIO_MOST = 700.0
#: In mean absolute residuals; four standard deviations of normal noise.
_OUTLIER = 5.0


class Memory:
    """A gauge of both systems: interval by interval, so without counting its samples."""

    weighted = True
    needs: tuple[str, ...] = ("candidate", "legacy")

    def check(self, spec: GateSpec) -> None:
        """The limits are relative growths; legacy's own size is 0."""
        if not -1.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(
                f"gate {spec.name}: the limit is a relative growth (0.2 for 20 %), not {spec.limit}"
            )

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Collect the interval's gauges; bet when an interval is over."""
        systems = look.get(spec.metric, {})
        interval = None if at is None else floor(at / rules.gauge_seconds)
        memory = dict(state.memory)
        opened = memory.get("interval")
        # A late look joins the open interval; time does not run back.
        if interval is not None and opened is not None:
            if interval > opened:
                memory = _close(spec, rules, state, memory)
            interval = max(interval, opened)
        for system in _SYSTEMS:
            tally, told = systems.get(system), readable(systems.get(system))
            if tally is not None and told is not None and tally.n > 0:
                total = memory.get(f"{system}_total", 0.0) + told.total
                memory[f"{system}_n"] = memory.get(f"{system}_n", 0) + told.n
                memory[f"{system}_total"] = max(-_SUM_MOST, min(_SUM_MOST, total))
                if told.n < tally.n:
                    unread = memory.get(f"{system}_unread", 0) + tally.n - told.n
                    memory[f"{system}_unread"] = unread
                memory["interval"] = interval
                if system == "candidate":
                    staged = "candidate" in stage_look.get(spec.metric, {})
                    memory["staged"] = memory.get("staged", True) and staged
        if interval is None:
            memory = _close(spec, rules, state, memory)
        state.memory = memory

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's growth over legacy (geometric mean of the intervals)."""
        estimate = expm1(state.stage["total"] / state.n) if state.n else None
        recent = expm1(state.recent_bad / state.recent_n) if state.recent_n else 0.0
        allowed = f"{percent(spec.limit)} allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{percent(estimate or 0.0)} above legacy over {state.n:,} intervals, {allowed}",
            recently=(
                f"{percent(recent)} above legacy over the latest {state.recent_n:,.0f} "
                f"intervals, {allowed}"
            ),
            n_min=spec.n_min or LEAST,
            unit="intervals",
        )
        return read(spec, rules, state, seen, rolls_back)


def _close(
    spec: GateSpec, rules: Rules, state: GateEvidence, memory: dict[str, float]
) -> dict[str, float]:
    """End the open interval; one that lacks a system, or reads nothing positive, is dropped, and
    so is one of which too much is unreadable. When each system last told something is noted: of
    what can't be read, :mod:`switchover.judge.silence` has to hear."""
    too_many = [
        (unread := memory.pop(f"{system}_unread", 0)) > 0
        and unread > _UNREADABLE_MOST * (unread + memory.get(f"{system}_n", 0))
        for system in _SYSTEMS
    ]
    gauges = [
        memory.pop(f"{system}_total", 0.0) / (memory.pop(f"{system}_n", 0) or 1)
        for system in _SYSTEMS
    ]
    opened = memory.pop("interval", None)
    staged = memory.pop("staged", False)
    for system, unread, gauge in zip(_SYSTEMS, too_many, gauges, strict=True):
        if opened is not None and not unread and 0.0 < gauge < inf:
            memory[f"{system}_told"] = (opened + 1) * rules.gauge_seconds
    if any(too_many) or not (0.0 < gauges[0] < inf and 0.0 < gauges[1] < inf):
        return memory
    now = max(-_RATIO_MOST, min(_RATIO_MOST, log(gauges[0]) - log(gauges[1])))
    lost = gained = [0.0] * len(_STAKES)
    if memory.get("pairs", 0) >= _WARM_UP:
        phi = _phi(memory)
        white = (now - phi * memory["before"]) / (1.0 - phi)
        scale = 2.5 * memory["spread"] / (1.0 - phi)
        score = _cut((white - log1p(spec.limit)) / scale)
        lost = [log1p(stake * score) for stake in _STAKES]
        score = _cut((white - log1p(spec.to_promote)) / scale)
        gained = [log1p(-stake * score) for stake in _STAKES]
        bet_against(state, lost, 1, now, rules.planned_looks)
    if staged:
        total = state.stage.get("total", 0.0) + now
        bet_in_favour(state, gained, 1, 0, 0.25)
        state.stage = {"total": total}
    return _learn(memory, now)


def _learn(memory: Mapping[str, float], now: float) -> dict[str, float]:
    """The past with one interval more: sums of pairs (x', x) with slow forgetting.

    A pair far off the model is a step. It teaches the spread only, and that no more than half as
    much again, and what follows is learnt less that step: otherwise a sudden growth would pass
    for slow noise, and be found hours later.
    """
    past = dict(memory)
    before = past.get("before")
    past["before"] = now
    if before is None:
        return past
    pairs, step = past.get("pairs", 0), past.get("step", 0.0)
    before, now = before - step, now - step
    past["pairs"] = pairs + 1
    if pairs >= 2:
        phi, mean = _phi(past), past["sum_x"] / past["weight"]
        residual = (now - mean) - phi * (before - mean)
        spread = max(_SPREAD_LEAST, past.get("spread", abs(residual)))
        keep = min(0.95, 1.0 - 1.0 / pairs)
        off = pairs >= _WARM_UP and abs(residual) > _OUTLIER * spread
        told = 1.5 * spread if off else abs(residual)
        past["spread"] = keep * spread + (1.0 - keep) * told
        if off:
            past["step"] = step + residual
            return past
    for name, value in (
        ("weight", 1.0),
        ("sum_x", before),
        ("sum_y", now),
        ("sum_xx", before * before),
        ("sum_xy", before * now),
    ):
        past[name] = _KEEP * past.get(name, 0.0) + value
    return past


def _phi(past: Mapping[str, float]) -> float:
    """The autocorrelation to whiten by, from past pairs only."""
    weight = past["weight"]
    spread = past["sum_xx"] - past["sum_x"] ** 2 / weight
    if spread <= 1e-12 * weight:
        return 0.0
    slope = (past["sum_xy"] - past["sum_x"] * past["sum_y"] / weight) / spread
    slope = max(-1.0, min(1.0, slope))
    bias = (1.0 + _FEW / weight) * (1.0 + 3.0 * slope) / weight
    corrected = slope + bias + sqrt((1.0 - slope * slope) / weight)
    return max(0.0, min(_PHI_MOST, corrected))


def _cut(score: float) -> float:
    return max(-1.0, min(1.0, score))

"""How long a gate will take to decide, and what it can find in a given time.

To promote: the judge is shown the expected counts of ever more seconds (see
:mod:`switchover.judge.expected`) until it says promote. Its evidence is the mixture's, so the
price of nine bets is in it, as are the least number and what has to be learnt first. Chance makes
some streams pass early: if observations show z standard errors more or less, the judge passes at
T(z), and the forecast is the geometric mean of T(z) over a normal z. For one bet that is Wald's
target / gain exactly, as sqrt(T(z) T(-z)) is; for a mixture it counts what the other bets add.

To find: the mixture with restarts, after K looks that each gain g_j at a stake of pi, is

    W = 1/9 sum_j (pi (e^(g_j K) - 1) / (1 - e^-g_j) + (1/2 - pi) e^(g_j K) at the beginning)

g_j from the judge as well. A level is found with 80 % probability when W reaches the gate's
share of 1/alpha even if the observations show the level less 0.84 standard errors. What was
staked before the stage is taken for lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import exp, expm1, inf, log, log1p, sqrt
from statistics import NormalDist

from switchover.judge.evidence import GateEvidence, log_total, stake
from switchover.judge.expected import Expected, Flow
from switchover.judge.expected_rates import (
    Count,
    Paired,
    Proportion,
    RelativeRate,
    SampleRatio,
)
from switchover.judge.expected_values import Drift, Mean, Memory, Quantile, RelativeQuantile
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rules import Rules
from switchover.judge.verdict import Verdict

#: How sure a gate has to be of finding what is called detectable.
SURE = 0.8
_ERRORS = NormalDist().inv_cdf(SURE)
#: Gauss and Hermite's three nodes: standard errors, and their weights.
_NODES = ((0.0, 2.0 / 3.0), (-sqrt(3.0), 1.0 / 6.0), (sqrt(3.0), 1.0 / 6.0))
#: What takes longer than ten years is never decided.
_NEVER = 3.2e8
#: Memory is simulated: runs that are averaged, and the longest one.
_RUNS, _LONGEST = 24, 1_500


@dataclass(frozen=True, slots=True)
class Expectation:
    """A gate in one stage: ``level`` of the candidate, ``base`` of legacy (see ``expected``)."""

    spec: GateSpec
    rules: Rules
    flow: Flow
    level: float
    base: float


@cache
def forecastable(paired: frozenset[str] = frozenset()) -> Mapping[str, Expected]:
    """Every kind that can be forecast, by its name. ``paired`` are the metrics of pairs."""
    return {
        "proportion": Proportion(paired),
        "quantile": Quantile(),
        "relative_rate": RelativeRate(),
        "relative_quantile": RelativeQuantile(),
        "paired": Paired(),
        "mean": Mean(),
        "drift": Drift(),
        "sample_ratio": SampleRatio(),
        "count": Count(),
        "memory": Memory(),
    }


def seconds_to_promote(what: Expectation, kind: Expected) -> float:
    """Seconds of the flow until the gate promotes, its lead included; infinite for never."""
    spec, rules = what.spec, what.rules
    if isinstance(kind, Memory):
        return (_intervals_to_promote(_still(what), kind) + 0.5) * rules.gauge_seconds
    lead = kind.lead(spec, what.flow)
    if kind.per_second(spec, what.flow) <= 0.0 or lead == inf:
        return 0.0 if _promotes(what, kind, 1.0) else inf
    before = _before(what, kind)
    logs = 0.0
    for errors, weight in _NODES:
        seconds = _crossing(what, kind, errors, before)
        if seconds == inf:
            return inf
        logs += weight * log(seconds)
    # A look comes half an interval later on average.
    return lead + exp(logs) + rules.gauge_seconds / 2.0


def _crossing(what: Expectation, kind: Expected, errors: float, before: GateEvidence) -> float:
    """When the gate promotes if its observations always show so many standard errors more."""
    each, base = kind.per_second(what.spec, what.flow), what.base
    worst = kind.bounds(what.spec, base)[1]

    def promotes(seconds: float) -> bool:
        if not errors + kind.lean:
            return _promotes(what, kind, seconds, before)
        error = kind.spread(what.spec, what.flow, each * seconds, what.level, base)
        seen = min(worst, max(kind.best, what.level + (errors + kind.lean) * error))
        return _promotes(replace(what, level=seen), kind, seconds, before)

    high = 1.0 / each
    while not promotes(high):
        high *= 2.0
        if high > _NEVER:
            return inf
    low = high / 2.0
    while high > 1.01 * low:
        middle = (low + high) / 2.0
        low, high = (low, middle) if promotes(middle) else (middle, high)
    return high


def detectable(
    what: Expectation, kind: Expected, seconds: float, share: float, looks_before: int
) -> float | None:
    """The smallest level that a stage of so many seconds finds with 80 % probability.

    ``share`` is the gate's part of the error budget, ``looks_before`` how many looks there were.
    None where even the worst would not be found.
    """
    spec, rules, flow = what.spec, what.rules, what.flow
    seconds -= kind.lead(spec, flow)
    each = 1.0 / rules.gauge_seconds if isinstance(kind, Memory) else kind.per_second(spec, flow)
    n = each * seconds
    if n < 1.0 or seconds <= 0.0:
        return None
    if isinstance(kind, Count):
        return _events(spec.limit, n)
    looks = max(1, int(seconds / rules.gauge_seconds))
    limit, worst = kind.bounds(spec, what.base)

    def found(level: float) -> bool:
        seen = level - _ERRORS * kind.spread(spec, flow, n, level, what.base)
        if seen <= limit:
            return False
        shown = replace(what, level=seen)
        if isinstance(kind, SampleRatio):
            state = _shown(shown, kind, seconds, _before(shown, kind))
            return log_total(state.against) >= log(rules.freeze_at)
        gains = _gains_against(shown, kind)
        needed = -log(rules.alpha) - log(share)
        return _log_mixture(gains, looks, looks_before, rules.planned_looks) >= needed

    return _least(found, limit, worst)


def _promotes(
    what: Expectation, kind: Expected, seconds: float, before: GateEvidence | None = None
) -> bool:
    state = _shown(what, kind, seconds, before or _before(what, kind))
    reading = kinds()[what.spec.kind].read(what.spec, what.rules, state, False)
    return reading.verdict is Verdict.PROMOTE


def _before(what: Expectation, kind: Expected) -> GateEvidence:
    """The gate at the beginning of its stage, with what it has learnt."""
    state = GateEvidence()
    for look in kind.past(what.spec, what.flow, what.base):
        kinds()[what.spec.kind].observe(what.spec, what.rules, state, look, {}, None)
    return replace(state.entering_stage(what.flow.split), bursts={})


def _shown(what: Expectation, kind: Expected, seconds: float, before: GateEvidence) -> GateEvidence:
    """The gate after the expected counts of so many seconds, at one look."""
    spec, state = what.spec, before.copy()
    times = kind.enlarged(spec, what.flow, seconds)
    look = kind.look(spec, what.flow, seconds * times, what.level, what.base)
    kinds()[spec.kind].observe(spec, what.rules, state, look, look, None)
    if spec.bursty and state.stage_bursts:
        # It was one block, and would be one in every interval: each gains as much by its share.
        bets, intervals = state.stage_bursts["bets"], seconds / what.rules.gauge_seconds
        start = -log(len(bets))
        bets = [start + (bet - start) * intervals for bet in bets]
        state.stage_bursts = {**state.stage_bursts, "bets": bets}
    elif state.bursts:
        state.bursts = {**state.bursts, **_learnt_of_bursts(what, kind, seconds)}
    if times != 1.0:
        start = -log(len(state.favour)) if state.favour else 0.0
        state.favour = tuple([start + (bet - start) / times for bet in state.favour])
        state.n = round(state.n / times)
    return state


def _learnt_of_bursts(what: Expectation, kind: Expected, seconds: float) -> dict[str, float]:
    """What is known of legacy's bursts by then, if there are none: until it was watched for a
    while, evidence is discounted."""
    flow, each = what.flow, what.rules.gauge_seconds
    watched = flow.past.get("legacy", 0.0) / flow.legacy if flow.legacy else 0.0
    # Requests come by chance (Poisson): an interval's size has its mean for its variance.
    size, intervals = kind.per_second(what.spec, flow) * each, (watched + seconds) / each
    return {
        "intervals": intervals, "groups": 0, "squares": 0.0,
        "failing": intervals * -expm1(-what.base * flow.legacy * each),
        "sizes": size, "sizes_squared": size * (size + 1.0),
    }  # fmt: skip


def _gains_against(what: Expectation, kind: Expected) -> list[float]:
    """What each bet against the candidate gains by one look."""
    if isinstance(kind, Memory):
        return _memory_gains(_still(what), kind)
    seconds, before = what.rules.gauge_seconds, _before(what, kind)
    times = kind.enlarged(what.spec, what.flow, seconds)
    look = kind.look(what.spec, what.flow, seconds * times, what.level, what.base)
    state = before.copy()
    kinds()[what.spec.kind].observe(what.spec, what.rules, state, look, {}, None)
    bets = state.bursts["bets"] if what.spec.bursty else state.against
    start = log(stake(0, what.rules.planned_looks) / len(bets))
    return [(bet - start) / times for bet in bets]


def _log_mixture(gains: list[float], looks: int, looks_before: int, planned: int | None) -> float:
    """Log W after so many looks with these gains, each bet with its restarts."""
    each = log(stake(max(1, looks_before), planned))
    parts = []
    for gain in gains:
        if gain > 1e-12:
            # A geometric series: the stake of every look, grown since.
            grown = gain * looks + log1p(-exp(-gain * looks)) - log1p(-exp(-gain))
            parts.append(each + grown)
        if looks_before == 0:
            parts.append(log(stake(0, planned)) + gain * looks)
    return log_total(parts) - log(len(gains)) if parts else -inf


def _least(found: Callable[[float], bool], limit: float, worst: float) -> float | None:
    """The smallest level found, to half a per cent of its distance from the limit."""
    if not found(worst):
        return None
    low, high = 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2.0
        # Distances are tried on a square scale: what matters lies close to the limit.
        if found(limit + (worst - limit) * middle * middle):
            high = middle
        else:
            low = middle
    return limit + (worst - limit) * high * high


def _events(limit: float, n: float) -> float:
    """The rate at which more than ``limit`` events of ``n`` are SURE to happen (Poisson)."""

    def happens(mean: float) -> bool:
        term = total = exp(-mean)
        for events in range(1, int(limit) + 1):
            term *= mean / events
            total += term
        return 1.0 - total >= SURE

    low, high = 0.0, 2.0 * limit + 10.0
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (low, middle) if happens(middle) else (middle, high)
    return min(1.0, high / n)


@lru_cache(maxsize=256)
def _intervals_to_promote(what: Expectation, kind: Memory) -> float:
    """Intervals until promotion, the mean of seeded runs of the judge: what it whitens by is
    learnt from the noise, so an average interval would tell nothing."""
    judge, total = kinds()["memory"], 0.0
    for seed in range(_RUNS):
        rng, state = random.Random(seed), GateEvidence()
        intervals = 0
        while judge.read(what.spec, what.rules, state, False).verdict is not Verdict.PROMOTE:
            if intervals == _LONGEST:
                return inf
            _interval(what, kind, state, rng)
            intervals += 1
        total += intervals
    return total / _RUNS


@lru_cache(maxsize=1024)
def _memory_gains(what: Expectation, kind: Memory) -> list[float]:
    """What each bet against gains by an interval. Noise is symmetric, so it is what the bets in
    favour gain by as much the other way, and those begin once and simply add up."""
    limit, intervals = log1p(what.spec.limit), 150
    spec = replace(what.spec, promote_limit=None)
    mirrored = replace(what, spec=spec, level=expm1(2.0 * limit - log1p(what.level)))
    rng, state = random.Random(0), GateEvidence()
    for _ in range(intervals):
        _interval(mirrored, kind, state, rng)
    return [(bet + log(len(state.favour))) / intervals for bet in state.favour]


def _still(what: Expectation) -> Expectation:
    """The same without its flow, on which memory does not depend."""
    return replace(what, flow=Flow(0.0, 0.0))


def _interval(what: Expectation, kind: Memory, state: GateEvidence, rng: random.Random) -> None:
    level = (1.0 + what.level) * exp(rng.gauss(0.0, what.base)) - 1.0
    look = kind.look(what.spec, what.flow, 0.0, level, what.base)
    kinds()["memory"].observe(what.spec, what.rules, state, look, look, None)

"""Forecasts, held against seeded runs of the real judge."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from math import exp, log, sqrt

import pytest

from switchover.judge.block import Look, Tally
from switchover.judge.bursty import log_decisive
from switchover.judge.evidence import GateEvidence
from switchover.judge.expected import Flow
from switchover.judge.forecast import (
    Expectation,
    detectable,
    forecastable,
    seconds_to_promote,
)
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rules import Rules
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

RULES = Rules(planned_looks=1440)
#: 5 requests a second, of which the candidate serves a tenth; an hour of legacy before.
FLOW = Flow(legacy=4.5, candidate=0.5, pair=0.5, requests=5.0, split=0.1, past={"legacy": 18_000.0})
KINDS = forecastable(frozenset({"agreement"}))

Draw = Callable[[random.Random, float], Look]


def bad_of(rng: random.Random, n: int, rate: float) -> int:
    """A binomial draw; by its normal approximation where that is a good one."""
    mean = n * rate
    if mean * (1 - rate) > 30:
        return min(n, max(0, round(rng.gauss(mean, sqrt(mean * (1 - rate))))))
    return sum(rng.random() < rate for _ in range(n))


def outcomes(rng: random.Random, level: float) -> Look:
    """Of both systems, as recorders count them: how good legacy is does not matter."""
    theirs = Tally(n=270, bad=bad_of(rng, 270, 0.02))
    return {"ok": {"candidate": Tally(n=30, bad=bad_of(rng, 30, level)), "legacy": theirs}}


def both_outcomes(rng: random.Random, level: float) -> Look:
    theirs = Tally(n=270, bad=bad_of(rng, 270, 0.01))
    return {"ok": {"candidate": Tally(n=30, bad=bad_of(rng, 30, level)), "legacy": theirs}}


def pairs(rng: random.Random, level: float) -> Look:
    up, down = bad_of(rng, 30, 0.01 + level), bad_of(rng, 30, 0.01)
    return {"ok": {"pair": Tally(n=30, bad=up, total=up - down, total_squares=up + down)}}


def durations(rng: random.Random, level: float) -> Look:
    """A share ``level`` of them takes 300 ms instead of 100."""
    slow = bad_of(rng, 30, level)
    sketch = {bucket_of(0.1): 30 - slow, bucket_of(0.3): slow}
    return {"ok": {"candidate": Tally(n=30, sketch=sketch)}}


@cache
def pool(middle: float) -> list[int]:
    """Buckets of log-normal durations, to draw from."""
    rng = random.Random(7)
    return [bucket_of(rng.lognormvariate(middle, 0.5)) for _ in range(20_000)]


def both_durations(rng: random.Random, level: float) -> Look:
    """Legacy is log-normal; so is the candidate, a share ``level`` above 1.5 times the p95."""
    assert level == pytest.approx(0.025)
    return drawn(rng, log(1.5) + 0.5 * 1.6449 - 0.5 * 1.9600)


def drawn(rng: random.Random, middle: float) -> Look:
    """Durations of both, the candidate's moved along."""
    ours, theirs = (
        Tally(n=n, sketch=dict(Counter(rng.choices(pool(at), k=n))))
        for at, n in ((middle, 30), (0.0, 270))
    )
    return {"ok": {"candidate": ours, "legacy": theirs}}


def means(rng: random.Random, level: float) -> Look:
    spread = sqrt(log(2))
    middle = log(level) - spread * spread / 2
    return {"ok": {"candidate": values(rng.lognormvariate(middle, spread) for _ in range(30))}}


def scores(rng: random.Random, level: float) -> Look:
    """Two log-normal distributions, a quarter of a deviation apart: a distance of 0.1."""
    assert level == pytest.approx(0.1)
    return drawn(rng, 0.2513 * 0.5)


def memory(rng: random.Random, level: float) -> Look:
    ours = Tally(n=1, total=(1 + level) * exp(rng.gauss(0, 0.05)))
    return {"ok": {"candidate": ours, "legacy": Tally(n=1, total=1.0)}}


def values(measured: Iterable[float]) -> Tally:
    tally = Tally()
    for value in measured:
        tally.n += 1
        tally.total += value
        tally.total_squares += value * value
        bucket = bucket_of(value)
        tally.sketch[bucket] = tally.sketch.get(bucket, 0) + 1
    return tally


def expectation(spec: GateSpec, level: float | None = None) -> Expectation:
    kind = KINDS[spec.kind]
    expected = kind.level(spec, kind.base) if level is None else level
    return Expectation(spec, RULES, FLOW, expected, kind.base)


def simulated(what: Expectation, draw: Draw, runs: int) -> float:
    """Seconds until the real judge promotes, at looks of a minute: the mean of seeded runs."""
    judge, total = kinds()[what.spec.kind], 0
    for seed in range(runs):
        rng, state = random.Random(seed), GateEvidence()
        # As in the flow, legacy was there before.
        for minute in range(-67, 0):
            before = {"ok": {k: t for k, t in draw(rng, what.level)["ok"].items() if k == "legacy"}}
            if what.spec.kind != "memory":
                judge.observe(what.spec, RULES, state, before, {}, 60.0 * minute)
        for minute in range(1, 3000):
            look = draw(rng, what.level)
            judge.observe(what.spec, RULES, state, look, look, 60.0 * minute)
            if judge.read(what.spec, RULES, state, False).verdict is Verdict.PROMOTE:
                break
        total += 60 * minute
    return total / runs


CASES: dict[str, tuple[GateSpec, Draw, int]] = {
    "proportion": (GateSpec("g", "proportion", "ok", 0.05), outcomes, 60),
    "proportion with two limits": (
        GateSpec("g", "proportion", "ok", 0.05, promote_limit=0.03), outcomes, 60,
    ),
    "proportion by blocks": (
        GateSpec("g", "proportion", "ok", 0.05, bursty=True), outcomes, 10,
    ),
    "quantile": (GateSpec("g", "quantile", "ok", 0.2, quantile=0.95), durations, 60),
    "relative_rate": (GateSpec("g", "relative_rate", "ok", 3.0), both_outcomes, 60),
    "relative_quantile": (
        GateSpec("g", "relative_quantile", "ok", 1.5, quantile=0.95), both_durations, 60,
    ),
    "paired": (GateSpec("g", "paired", "ok", 0.05), pairs, 100),
    "mean": (GateSpec("g", "mean", "ok", 1.0, promote_limit=0.7), means, 30),
    "drift": (GateSpec("g", "drift", "ok", 0.2), scores, 40),
    "memory": (GateSpec("g", "memory", "ok", 0.2), memory, 40),
}  # fmt: skip


@pytest.mark.req("O5")
@pytest.mark.parametrize("case", CASES)
def test_the_forecast_of_a_promotion_is_right_within_a_fifth(case: str) -> None:
    """What the real judge takes on average, in seeded runs of a stream as expected."""
    spec, draw, runs = CASES[case]
    what = expectation(spec)
    told = seconds_to_promote(what, KINDS[spec.kind])
    assert told == pytest.approx(simulated(what, draw, runs), rel=0.2)


@pytest.mark.req("O5")
@pytest.mark.parametrize("case", ["proportion", "quantile", "relative_rate", "paired", "memory"])
def test_what_is_called_detectable_is_found(case: str) -> None:
    """At the level told about four runs in five roll back; a fifth nearer to the limit fewer do,
    and a fifth beyond it nearly all."""
    spec, draw, _ = CASES[case]
    kind, minutes, runs = KINDS[spec.kind], 240, 40
    told = detectable(expectation(spec), kind, 60.0 * minutes, 1.0, 200)
    limit, _ = kind.bounds(spec, kind.base)
    assert told is not None

    def found(level: float) -> float:
        hits, judge = 0, kinds()[spec.kind]
        for seed in range(runs):
            rng, state = random.Random(seed), GateEvidence(blocks=200, clock=200.0, spent=0.55)
            for minute in range(1, minutes + 1):
                judge.observe(spec, RULES, state, draw(rng, level), {}, 60.0 * minute)
                if log_decisive(state) >= -log(RULES.alpha):
                    hits += 1
                    break
        return hits / runs

    assert found(limit + 1.2 * (told - limit)) >= 0.8
    assert found(limit + 0.8 * (told - limit)) < 0.8


@pytest.mark.req("O5")
def test_a_count_needs_its_least_number_and_finds_single_events() -> None:
    """1.61 events are expected where at least one happens four times in five."""
    spec, kind = GateSpec("g", "count", "ok", 0), KINDS["count"]
    assert seconds_to_promote(expectation(spec), kind) == pytest.approx(100 + 30, abs=3)
    told = detectable(expectation(spec), kind, 3600.0, 1.0, 0)
    assert told == pytest.approx(1.609 / 1800, rel=0.01)


@pytest.mark.req("O5")
def test_plenty_of_traffic_takes_a_look_and_no_more_observations() -> None:
    """What a gate needs does not grow with what comes."""
    spec, kind = GateSpec("g", "proportion", "ok", 0.05), KINDS["proportion"]
    slow, fast = (
        seconds_to_promote(Expectation(spec, RULES, Flow(0.0, each), 0.025, 0.0), kind) - 30
        for each in (0.5, 5_000.0)
    )
    assert 5_000.0 * fast == pytest.approx(0.5 * slow, rel=0.02)


#: The candidate's limit, observations of both in a minute, legacy's rate, and the candidate's.
RATES = [
    (1.5, 30, 270, 0.05, 0.0625),
    (1.5, 30, 270, 0.05, 0.05),
    (2.0, 150, 150, 0.02, 0.03),
    (2.0, 150, 150, 0.02, 0.02),
    (3.0, 60, 60, 0.02, 0.02),
    (1.5, 600, 5400, 0.01, 0.01),
]


@pytest.mark.req("O5")
@pytest.mark.parametrize(("limit", "ours", "theirs", "base", "level"), RATES)
def test_a_relative_rate_is_forecast_at_any_split(
    limit: float, ours: int, theirs: int, base: float, level: float
) -> None:
    """Also where the judge decides while it still learns whether legacy's failures cluster."""

    def draw(rng: random.Random, rate: float) -> Look:
        candidate = Tally(n=ours, bad=bad_of(rng, ours, rate))
        legacy = Tally(n=theirs, bad=bad_of(rng, theirs, base))
        return {"ok": {"candidate": candidate, "legacy": legacy}}

    spec = GateSpec("g", "relative_rate", "ok", limit)
    flow = Flow(theirs / 60, ours / 60, requests=5.0, past={"legacy": 67.0 * theirs})
    what = Expectation(spec, RULES, flow, level, base)
    told = seconds_to_promote(what, KINDS["relative_rate"])
    assert told == pytest.approx(simulated(what, draw, 30), rel=0.2)


@pytest.mark.req("O5")
def test_a_sample_ratio_needs_its_least_number_and_finds_a_wrong_split() -> None:
    """50 requests at least; in an hour of 18,000 some points beyond those allowed."""
    spec, kind = (
        GateSpec("g", "sample_ratio", "ok", 0.02, stages=("canary",)),
        KINDS["sample_ratio"],
    )
    assert seconds_to_promote(expectation(spec), kind) == pytest.approx(10 + 30, abs=1)
    told = detectable(expectation(spec), kind, 3600.0, 1.0, 0)
    assert told == pytest.approx(0.0315, rel=0.2)


@pytest.mark.req("O5")
def test_what_is_as_bad_as_the_limit_is_never_decided() -> None:
    """Nor is what brings no observations at all."""
    spec = GateSpec("g", "proportion", "ok", 0.05)
    assert seconds_to_promote(expectation(spec, 0.05), KINDS["proportion"]) == float("inf")
    alone = Expectation(spec, RULES, Flow(5.0, 0.0), 0.01, 0.0)
    assert seconds_to_promote(alone, KINDS["proportion"]) == float("inf")
    assert detectable(alone, KINDS["proportion"], 3600.0, 1.0, 0) is None


@pytest.mark.req("O5")
def test_what_has_to_be_learnt_first_comes_on_top() -> None:
    """A drift gate takes legacy's first 200 values to learn its deciles."""
    spec = GateSpec("g", "drift", "ok", 0.2)
    before = seconds_to_promote(expectation(spec), KINDS["drift"])
    new = Flow(legacy=0.5, candidate=0.5, requests=1.0)
    flow = Flow(legacy=0.5, candidate=0.5, requests=1.0, past={"legacy": 18_000.0})
    first, later = (
        seconds_to_promote(Expectation(spec, RULES, each, 0.1, 0.0), KINDS["drift"])
        for each in (new, flow)
    )
    assert first - later == pytest.approx(400.0, abs=1.0)
    assert later > before


def test_every_kind_of_gate_is_forecast() -> None:
    """A kind that is added to the judge is to be added here."""
    assert set(KINDS) == set(kinds())

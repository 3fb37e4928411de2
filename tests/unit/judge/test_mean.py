"""The mean kind: simulated rollouts with fixed seeds."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, inf, log, log1p

import pytest

from switchover.judge.block import Tally
from switchover.judge.evidence import log_total
from switchover.judge.gate import GateSpec
from switchover.judge.mean import _BETS, _BETTER
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

GATES = (GateSpec("duration", "mean", "seconds", 600.0),)
RULES = Rules(planned_looks=150)
SPREAD = 0.6


def tally(values: list[float]) -> Tally:
    counted = Tally(n=len(values))
    for value in values:
        counted.sketch[bucket_of(value)] = counted.sketch.get(bucket_of(value), 0) + 1
        if value < inf:
            counted.total += value
            counted.total_squares += value * value
    return counted


def observed(gates, evidence, values: list[float]):
    return observe(gates, RULES, evidence, {"seconds": {"candidate": tally(values)}})


def looks_until_rollback(draw: Callable[[], float], looks: int) -> int | None:
    evidence = begin(GATES)
    for look in range(1, looks + 1):
        evidence = observed(GATES, evidence, [draw() for _ in range(20)])
        if log_total(evidence.gates["duration"].against) >= log(100):
            return look
    return None


def lognormal(rng: random.Random, mean: float) -> Callable[[], float]:
    return lambda: mean * rng.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)


@pytest.mark.req("INV12")
@pytest.mark.parametrize("shape", ["lognormal", "exponential", "rare and long"])
def test_a_mean_on_the_limit_is_hardly_ever_rolled_back(shape: str) -> None:
    """However skew the durations are: of 80 rollouts of 100 looks at most two fall."""
    rng = random.Random(31)
    draw = {
        "lognormal": lognormal(rng, 600.0),
        "exponential": lambda: rng.expovariate(1 / 600.0),
        "rare and long": lambda: 6000.0 if rng.random() < 0.05 else 315.789,
    }[shape]
    false = sum(looks_until_rollback(draw, 100) is not None for _ in range(80))
    assert false <= 2


@pytest.mark.req("O5")
def test_a_mean_half_as_long_again_is_found() -> None:
    """Every one of 40 rollouts ends within 20 looks of 20, mostly within 120 observations."""
    rng = random.Random(32)
    ends = [looks_until_rollback(lognormal(rng, 900.0), 20) for _ in range(40)]
    assert None not in ends
    assert sorted(end for end in ends if end)[20] * 20 <= 120


@pytest.mark.req("O2")
def test_a_mean_below_the_limit_is_promoted() -> None:
    """Eight minutes on average where ten are allowed pass within 800 observations."""
    rng = random.Random(33)
    draw = lognormal(rng, 480.0)
    evidence = enter_stage(begin(GATES), "canary-10", "canary")
    for _ in range(40):
        evidence = observed(GATES, evidence, [draw() for _ in range(20)])
    reading = assess(GATES, RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.PROMOTE
    assert reading.gates[0].estimate == pytest.approx(480.0, rel=0.05)


@pytest.mark.req("INV12")
def test_a_mean_on_the_promote_limit_is_hardly_ever_passed() -> None:
    """Of 100 stages of 60 looks on the limit at most eleven pass, where five are expected."""
    rng = random.Random(34)
    draw = lognormal(rng, 600.0)
    passed = 0
    for _ in range(100):
        evidence = begin(GATES)
        for _ in range(60):
            evidence = observed(GATES, evidence, [draw() for _ in range(10)])
            if log_total(evidence.gates["duration"].favour) >= log(20):
                passed += 1
                break
    assert passed <= 11


@pytest.mark.req("O5")
def test_one_absurd_value_counts_as_the_cap() -> None:
    """A day among minutes neither rolls back nor hides what the others say."""
    fast = [60.0] * 99
    evidence = observed(GATES, enter_stage(begin(GATES), "c", "canary"), [*fast, 86_400.0])
    reading = assess(GATES, RULES, evidence, stage_kind="canary", dwell_over=True).gates[0]
    assert reading.estimate == pytest.approx((99 * 60.0 + 6000.0) / 100, rel=0.02)
    assert reading.rollback_evidence < 10


@pytest.mark.req("O5")
def test_what_is_not_finite_is_never_taken_for_fast() -> None:
    """The recorder leaves it out of the sums; the sketch has it above every limit."""
    evidence = observed(GATES, enter_stage(begin(GATES), "c", "canary"), [inf] * 50)
    reading = assess(GATES, RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK
    assert reading.gates[0].estimate == pytest.approx(6000.0)


def test_a_cap_next_to_the_limit_is_refused() -> None:
    """It would leave nothing to bet on."""
    with pytest.raises(ValueError, match="cap"):
        GateSpec("duration", "mean", "seconds", 600.0, cap=700.0)


@pytest.mark.req("INV12")
@pytest.mark.parametrize("cap", [3000.0, 6000.0, 60_000.0], ids=["often cut", "cut", "hardly cut"])
def test_a_block_never_wins_more_than_its_values_would(cap: float) -> None:
    """Bets on sums are bounded by the bets on each value, wherever in their buckets values lie."""
    gates = (GateSpec("duration", "mean", "seconds", 600.0, cap=cap),)
    rng = random.Random(37)
    for _ in range(200):
        values = [600.0 * exp(rng.gauss(0.0, rng.choice((0.2, 1.0, 2.0)))) for _ in range(30)]
        values += [1800.0 * 1.02 ** rng.uniform(-1.5, 1.5) for _ in range(3)]
        state = observed(gates, enter_stage(begin(gates), "canary"), values).gates["duration"]
        start = log(0.5 / len(_BETS))
        for bet, won in zip(_BETS, state.against, strict=True):
            fair = sum(log1p(bet / 600.0 * (min(value, cap) - 600.0)) for value in values)
            assert won - start <= fair + 1e-9
        for bet, won in zip(_BETTER, state.favour, strict=True):
            fair = sum(log1p(-bet / (cap - 600.0) * (min(v, cap) - 600.0)) for v in values)
            assert won + log(len(_BETTER)) <= fair + 1e-9


@pytest.mark.req("INV6")
@pytest.mark.parametrize(("limit", "cap"), [(1e-300, None), (1e300, None), (1.0, 1e300)])
def test_a_limit_of_which_the_square_is_not_finite_is_refused(
    limit: float, cap: float | None
) -> None:
    """It would stop the collection at the first look; better at the plan."""
    with pytest.raises(ValueError, match="use another unit"):
        GateSpec("mean", "mean", "seconds", limit, cap=cap)

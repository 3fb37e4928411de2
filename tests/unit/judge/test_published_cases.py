"""Published cases in which a canary analysis by Mann-Whitney passes a clear regression."""

from __future__ import annotations

import random
from math import log

import pytest

from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

RULES = Rules()


def measured(values: list[float]) -> Tally:
    tally = Tally(n=len(values), total=sum(values), total_squares=sum(v * v for v in values))
    for value in values:
        tally.sketch[bucket_of(value)] = tally.sketch.get(bucket_of(value), 0) + 1
    return tally


def judged(gate: GateSpec, looks) -> Verdict:
    evidence = enter_stage(begin((gate,)), "canary-10", "canary")
    verdicts = []
    for ours, theirs in looks:
        look = {"m": {"candidate": ours, "legacy": theirs}}
        evidence = observe((gate,), RULES, evidence, look)
        reading = assess((gate,), RULES, evidence, stage_kind="canary", dwell_over=True)
        verdicts.append(reading.verdict)
    assert Verdict.PROMOTE not in verdicts
    return Verdict.ROLLBACK if Verdict.ROLLBACK in verdicts else verdicts[-1]


SLOW = [100.0] * 7 + [1.0] * 3


@pytest.mark.req("O5")
@pytest.mark.parametrize(
    "gate",
    [
        GateSpec("mean", "mean", "m", 1.5),
        GateSpec("p99", "quantile", "m", 2.0),
        GateSpec("p95", "quantile", "m", 2.0, quantile=0.95),
    ],
    ids=lambda gate: gate.name,
)
@pytest.mark.parametrize("one_by_one", [True, False])
def test_seven_of_ten_values_a_hundred_times_as_high_are_bad(gate, one_by_one) -> None:
    """[100]*7 + [1]*3 against [1]*10, ten single values: rolled back."""
    if one_by_one:
        looks = [(measured([ours]), measured([1.0])) for ours in SLOW]
    else:
        looks = [(measured(SLOW), measured([1.0] * 10))]
    assert judged(gate, looks) is Verdict.ROLLBACK


@pytest.mark.req("O5")
def test_seven_of_ten_minutes_a_hundred_times_as_slow_are_bad_against_legacy() -> None:
    """The same as minutes of twenty requests each, and no limit but legacy's own p95."""
    gate = GateSpec("speed", "relative_quantile", "m", 1.5, quantile=0.95)
    looks = [(measured([ours] * 20), measured([1.0] * 20)) for ours in SLOW]
    assert judged(gate, looks) is Verdict.ROLLBACK


@pytest.mark.req("O5")
def test_four_errors_in_six_minutes_against_none_are_undecided() -> None:
    """[0,1,2,1,0,0] against [0]*6: neither passed nor rolled back, absolutely and relatively."""
    looks = [(Tally(10, bad), Tally(10, 0)) for bad in (0, 1, 2, 1, 0, 0)]
    for gate in (
        GateSpec("against legacy", "relative_rate", "m", 1.5),
        GateSpec("errors", "proportion", "m", 0.05),
    ):
        assert judged(gate, looks) in (Verdict.INSUFFICIENT_EVIDENCE, Verdict.HOLD)


@pytest.mark.req("O5")
@pytest.mark.parametrize(
    "gate",
    [
        GateSpec("p99", "quantile", "m", 0.2),
        GateSpec("against legacy", "relative_quantile", "m", 1.5),
    ],
    ids=lambda gate: gate.kind,
)
def test_ten_times_the_variance_at_the_same_mean_fails_the_quantile_gate(gate) -> None:
    """100 ms on average for both, with a spread of 30 and of 95 ms: p99 tells them apart."""
    rng = random.Random(71)

    def latencies(n: int, variance: float) -> list[float]:
        square = log(1 + variance / 0.1**2)
        return [rng.lognormvariate(log(0.1) - square / 2, square**0.5) for _ in range(n)]

    looks = [
        (measured(latencies(60, 10 * 0.03**2)), measured(latencies(60, 0.03**2))) for _ in range(60)
    ]
    ours, theirs = (sum(look[side].total for look in looks) / 3600 for side in (0, 1))
    assert ours == pytest.approx(theirs, rel=0.05)
    assert judged(gate, looks) is Verdict.ROLLBACK

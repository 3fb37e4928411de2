"""The absolute quantile kind."""

from __future__ import annotations

import pytest

from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, observe
from switchover.judge.sketch import bucket_of, value_of
from switchover.judge.verdict import Verdict

LATENCY = (GateSpec("latency", "quantile", "seconds", 0.2, quantile=0.99),)


def judged(draw, looks: int):
    evidence = begin(LATENCY)
    for _ in range(looks):
        evidence = observe(LATENCY, Rules(), evidence, {"seconds": {"candidate": next(draw)}})
        reading = assess(LATENCY, Rules(), evidence, stage_kind="canary", dwell_over=True)
        if reading.verdict is Verdict.ROLLBACK:
            break
    return reading


@pytest.mark.req("O2")
def test_a_fast_candidate_is_promoted(times) -> None:
    """p99 of 125 ms under a limit of 200 ms passes with 1,200 requests; p99 is shown."""
    reading = judged(times(0.05, 100, seed=1), 12)
    assert reading.verdict is Verdict.PROMOTE
    assert reading.gates[0].estimate == pytest.approx(0.127, rel=0.1)


@pytest.mark.req("O2")
def test_a_slow_candidate_is_rolled_back(times) -> None:
    """p99 of 380 ms over a limit of 200 ms is found within 300 requests."""
    reading = judged(times(0.15, 50, seed=2), 6)
    assert reading.verdict is Verdict.ROLLBACK
    assert "above 0.2" in reading.sentence


@pytest.mark.req("INV12")
def test_a_candidate_on_the_limit_is_not_rolled_back(times) -> None:
    """The p99 is the limit itself, up to the 2 % of a bucket: 20 rollouts of 80 looks stand."""
    false = [
        judged(times(0.2 / 2.54 / 1.02, 50, seed=seed), 80).verdict is Verdict.ROLLBACK
        for seed in range(20)
    ]
    assert sum(false) == 0


@pytest.mark.req("INV12")
@pytest.mark.parametrize("place", [0.991, 1.009], ids=["low in its bucket", "high in its bucket"])
def test_what_shares_a_bucket_with_the_limit_decides_nothing(place: float) -> None:
    """Two in a hundred lie in the bucket that straddles the limit: perhaps too many, perhaps none
    above it. However many come, the gate neither rolls back nor promotes."""
    limit = value_of(bucket_of(0.2)) * place
    gates = (GateSpec("latency", "quantile", "seconds", limit),)
    fast, unknown = bucket_of(0.05), bucket_of(limit)
    evidence = begin(gates)
    for _ in range(20):
        tally = Tally(n=60_000, sketch={fast: 58_800, unknown: 1_200})
        evidence = observe(gates, Rules(), evidence, {"seconds": {"candidate": tally}})
        reading = assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True)
        assert reading.verdict not in (Verdict.ROLLBACK, Verdict.PROMOTE)
        assert reading.rollback_evidence < 1.0
    beyond = {fast: 58_800, unknown + 1: 1_200}
    look = {"seconds": {"candidate": Tally(n=60_000, sketch=beyond)}}
    evidence = observe(gates, Rules(), evidence, look)
    reading = assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK


@pytest.mark.req("O5")
def test_many_values_are_all_judged_and_the_shown_quantile_follows(times) -> None:
    """Of looks with plenty of values every eighth makes the shown quantile; all are counted."""
    evidence = begin(LATENCY)
    for draw in (times(0.05, 20_000, seed=4), times(0.06, 20_000, seed=5)):
        for _ in range(16):
            evidence = observe(LATENCY, Rules(), evidence, {"seconds": {"candidate": next(draw)}})
    state = evidence.gates["latency"]
    assert state.n == 32 * 20_000
    assert state.stage["seen"] == 4 * 20_000
    reading = assess(LATENCY, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.gates[0].estimate == pytest.approx(0.14, rel=0.05)


@pytest.mark.req("O5")
def test_p99_takes_five_hundred_observations(times) -> None:
    """Fewer can't show five bad ones in a hundred times as many, so nothing is promoted."""
    reading = judged(times(0.001, 100, seed=3), 4)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert reading.gates[0].need is not None
    assert reading.gates[0].need >= 100


def test_a_percentile_of_99_is_refused() -> None:
    """The message says how it is written."""
    with pytest.raises(ValueError, match=r"0\.99"):
        GateSpec("latency", "quantile", "seconds", 0.2, quantile=99)

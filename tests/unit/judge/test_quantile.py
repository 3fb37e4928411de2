"""The absolute quantile kind."""

from __future__ import annotations

import pytest

from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, observe
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

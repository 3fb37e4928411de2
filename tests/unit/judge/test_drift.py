"""The drift kind: simulated rollouts with fixed seeds."""

from __future__ import annotations

import random
from math import exp, log

import pytest

from switchover.judge.block import Tally
from switchover.judge.evidence import log_total
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

GATES = (GateSpec("scores", "drift", "score", 0.1),)
RULES = Rules(planned_looks=120)
#: Two normal distributions of spread 1 so far apart have a distance of exactly 0.1.
ON_THE_LIMIT = 0.2513


def scores(rng: random.Random, n: int, shift: float, spread: float = 1.0) -> Tally:
    tally = Tally(n=n)
    for _ in range(n):
        bucket = bucket_of(exp(rng.gauss(shift, spread)))
        tally.sketch[bucket] = tally.sketch.get(bucket, 0) + 1
    return tally


def look(rng: random.Random, shift: float, n: int = 30, spread: float = 1.0):
    return {"score": {"candidate": scores(rng, n, shift, spread), "legacy": scores(rng, 30, 0.0)}}


def looks_until_rollback(rng: random.Random, looks: int, **candidate: float) -> int | None:
    evidence = begin(GATES)
    for number in range(1, looks + 1):
        evidence = observe(GATES, RULES, evidence, look(rng, **candidate))
        if log_total(evidence.gates["scores"].against) >= log(100):
            return number
    return None


@pytest.mark.req("INV12")
def test_a_distance_on_the_limit_is_hardly_ever_rolled_back() -> None:
    """Of 40 rollouts of 120 looks at most one falls."""
    rng = random.Random(41)
    false = [looks_until_rollback(rng, 120, shift=ON_THE_LIMIT) for _ in range(40)]
    assert sum(end is not None for end in false) <= 1


@pytest.mark.req("O5")
@pytest.mark.parametrize(
    ("shift", "spread"), [(0.8, 1.0), (-0.8, 1.0), (0.0, 0.2)], ids=["higher", "lower", "narrower"]
)
def test_every_kind_of_drift_is_found(shift: float, spread: float) -> None:
    """Scores that are higher, lower, or all alike: each of 8 rollouts ends within 40 looks."""
    rng = random.Random(42)
    ends = [looks_until_rollback(rng, 40, shift=shift, spread=spread) for _ in range(8)]
    assert None not in ends


@pytest.mark.req("O2")
def test_the_same_distribution_is_promoted() -> None:
    """It takes some two thousand scores to show that no decile is ten points off."""
    rng = random.Random(43)
    evidence = enter_stage(begin(GATES), "shadow", "shadow")
    for _ in range(60):
        evidence = observe(GATES, RULES, evidence, look(rng, 0.0, n=60))
    reading = assess(GATES, RULES, evidence, stage_kind="shadow", dwell_over=True)
    assert reading.verdict is Verdict.PROMOTE
    assert reading.gates[0].estimate is not None
    assert reading.gates[0].estimate < 0.05


@pytest.mark.req("INV12")
def test_a_distance_on_the_limit_is_hardly_ever_passed() -> None:
    """Of 30 stages of 60 looks none passes: every decile has to be shown, not most of them."""
    rng = random.Random(44)
    passed = 0
    for _ in range(30):
        evidence = begin(GATES)
        for _ in range(60):
            evidence = observe(GATES, RULES, evidence, look(rng, ON_THE_LIMIT))
        passed += log_total(evidence.gates["scores"].favour) >= log(20)
    assert passed == 0


@pytest.mark.req("O5")
def test_the_edges_come_from_past_legacy_only() -> None:
    """The look that brings enough of legacy sets them, and is judged by none."""
    rng = random.Random(45)
    both = {"score": {"candidate": scores(rng, 500, 5.0), "legacy": scores(rng, 500, 0.0)}}
    first = observe(GATES, RULES, begin(GATES), both)
    assert first.gates["scores"].blocks == 0
    assert len(first.gates["scores"].memory["edges"]) == 9
    second = observe(GATES, RULES, first, both)
    assert second.gates["scores"].blocks == 1


@pytest.mark.req("O5")
def test_past_legacy_stands_in_when_all_traffic_has_moved() -> None:
    """At 100 % nothing fresh of legacy comes; a great drift is found all the same."""
    rng = random.Random(46)
    evidence = begin(GATES)
    for _ in range(40):
        evidence = observe(GATES, RULES, evidence, look(rng, 0.0))
    for _ in range(15):
        alone = {"score": {"candidate": scores(rng, 60, 1.0)}}
        evidence = observe(GATES, RULES, evidence, alone)
    reading = assess(GATES, RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK

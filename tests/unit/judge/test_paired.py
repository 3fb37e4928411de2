"""The paired kind: simulated shadows with fixed seeds."""

from __future__ import annotations

import random
from math import log

import pytest

from switchover.judge.block import Tally
from switchover.judge.evidence import log_total
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

GATES = (GateSpec("pairs", "paired", "right", 0.03),)
RULES = Rules(planned_looks=200)


def pairs(up: int, down: int, n: int, failures: int = 0) -> dict[str, dict[str, Tally]]:
    return {"right": {"pair": Tally(n, failures, up - down, up + down)}}


def drawn(rng: random.Random, n: int, worse: float, better: float) -> dict[str, dict[str, Tally]]:
    fates = rng.choices((1, -1, 0), (worse, better, 1 - worse - better), k=n)
    return pairs(fates.count(1), fates.count(-1), n)


def looks_until_rollback(rng: random.Random, worse: float, better: float, looks: int) -> int | None:
    evidence = begin(GATES)
    for look in range(1, looks + 1):
        evidence = observe(GATES, RULES, evidence, drawn(rng, 25, worse, better))
        if log_total(evidence.gates["pairs"].against) >= log(100):
            return look
    return None


@pytest.mark.req("INV12")
def test_a_candidate_on_the_limit_is_hardly_ever_rolled_back() -> None:
    """Three points more failures, as allowed: of 150 shadows of 200 looks at most two fall."""
    rng = random.Random(21)
    false = sum(looks_until_rollback(rng, 0.08, 0.05, 200) is not None for _ in range(150))
    assert false <= 2


@pytest.mark.req("O5")
def test_ten_points_more_failures_are_found() -> None:
    """Where three are allowed, in every one of 50 shadows within 1,000 pairs, mostly in 300."""
    rng = random.Random(22)
    ends = [looks_until_rollback(rng, 0.15, 0.02, 40) for _ in range(50)]
    assert None not in ends
    assert sorted(end for end in ends if end)[25] * 25 <= 300


@pytest.mark.req("O2")
def test_a_candidate_that_fares_alike_is_promoted() -> None:
    """Both fail with one request in ten, and with the same ones: 300 pairs are enough."""
    evidence = enter_stage(begin(GATES), "shadow", "shadow")
    for _ in range(12):
        evidence = observe(GATES, RULES, evidence, pairs(0, 0, 25, failures=2))
    reading = assess(GATES, RULES, evidence, stage_kind="shadow", dwell_over=True)
    assert reading.verdict is Verdict.PROMOTE
    assert "0 points more failures than legacy's in 300 pairs (8 % against 8 %)" in reading.sentence


@pytest.mark.req("O5")
def test_what_can_be_no_outcome_of_pairs_is_not_judged() -> None:
    """More differences than pairs, or half a one: no evidence either way."""
    for tally in (Tally(3, 0, 5.0, 5.0), Tally(3, 0, 0.5, 1.0), Tally(3, 0, 2.0, 1.0)):
        evidence = observe(GATES, RULES, begin(GATES), {"right": {"pair": tally}})
        assert evidence.gates["pairs"].blocks == 0
        assert evidence.gates["pairs"].n == 0


def test_a_limit_that_is_no_difference_of_rates_is_refused() -> None:
    """Two points are 0.02."""
    with pytest.raises(ValueError, match=r"0\.02"):
        GateSpec("pairs", "paired", "right", 2.0)

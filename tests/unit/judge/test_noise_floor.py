"""Agreement on top of legacy's noise: what a plan with ``noise: true`` is judged by."""

from __future__ import annotations

import random

import pytest

from switchover.judge import rollout
from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules
from switchover.judge.verdict import StageReading, Verdict

pytestmark = pytest.mark.req("O4")

NOISE, ALLOWED, PAIRS, LOOKS = 0.2, 0.1, 60, 120
#: A candidate that disagrees exactly as often as noise and limit together allow.
LIMIT = 1 - (1 - ALLOWED) * (1 - NOISE)


def count(rng: random.Random, n: int, rate: float) -> Tally:
    return Tally(n, sum(rng.random() < rate for _ in range(n)))


def judged(seed: int, rate: float, *, noisy: bool = True, sampled: int = 6) -> StageReading:
    """A rollout to its first rollback or its end: of 60 pairs a look six show the noise too."""
    rng, rules = random.Random(seed), Rules(planned_looks=LOOKS)
    gates = [GateSpec("agreement", "proportion", "m", ALLOWED, noise="v" if noisy else None)]
    evidence = rollout.enter_stage(rollout.begin(gates), "canary-10", "canary")
    for at in range(LOOKS):
        look = {"m": {"pair": count(rng, PAIRS, rate)}}
        if sampled:
            look["v"] = {"pair": count(rng, sampled, NOISE)}
        evidence = rollout.observe(gates, rules, evidence, look, look, at=at * 60.0)
        reading = rollout.assess(gates, rules, evidence, stage_kind="canary", dwell_over=True)
        if reading.verdict is Verdict.ROLLBACK:
            break
    return reading


def test_a_candidate_at_the_limit_on_top_of_the_noise_is_not_rolled_back() -> None:
    """The noise is estimated, and the estimate errs to the safe side, at every one of the looks."""
    verdicts = [judged(seed, LIMIT).verdict for seed in range(20)]
    assert Verdict.ROLLBACK not in verdicts
    assert Verdict.PROMOTE not in verdicts


def test_a_candidate_as_noisy_as_legacy_passes_only_with_the_noise_floor() -> None:
    """Without it, a candidate as good as legacy would be rolled back."""
    assert {judged(seed, NOISE, sampled=30).verdict for seed in range(5)} == {Verdict.PROMOTE}
    assert {judged(seed, NOISE, noisy=False).verdict for seed in range(5)} == {Verdict.ROLLBACK}


def test_a_candidate_that_is_worse_than_the_noise_allows_is_rolled_back() -> None:
    """Half of its answers differ, where noise and limit explain 28 %."""
    assert {judged(seed, 0.5).verdict for seed in range(5)} == {Verdict.ROLLBACK}


@pytest.mark.req("INV6")
def test_without_noise_pairs_there_is_no_verdict() -> None:
    """A shadow that never asks legacy twice leaves the gate waiting, whatever the pairs say."""
    assert judged(1, NOISE, sampled=0).verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert judged(1, 1.0, sampled=0).verdict is Verdict.INSUFFICIENT_EVIDENCE

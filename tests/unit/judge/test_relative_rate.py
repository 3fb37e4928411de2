"""The relative error rate kind."""

from __future__ import annotations

import pytest

from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

ERRORS = (GateSpec("errors", "relative_rate", "ok", 1.5),)


def look(candidate: Tally, legacy: Tally | None = None):
    return {"ok": {"candidate": candidate} | ({"legacy": legacy} if legacy else {})}


def judged(pairs):
    evidence = begin(ERRORS)
    reading = None
    for candidate, legacy in pairs:
        evidence = observe(ERRORS, Rules(), evidence, look(candidate, legacy))
        reading = assess(ERRORS, Rules(), evidence, stage_kind="canary", dwell_over=True)
        if reading.verdict is Verdict.ROLLBACK:
            break
    return reading


@pytest.mark.req("O2")
def test_five_times_the_errors_are_found(binomial) -> None:
    """5 % against 1 %, a tenth of the traffic: found in each of 20 rollouts within 60 looks."""
    ours, theirs = binomial(20, 0.05, seed=1), binomial(180, 0.01, seed=2)
    for _ in range(20):
        reading = judged((Tally(20, ours()), Tally(180, theirs())) for _ in range(60))
        assert reading.verdict is Verdict.ROLLBACK


@pytest.mark.req("INV12")
@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_a_candidate_on_the_ratio_is_hardly_ever_rolled_back(binomial, rate) -> None:
    """One and a half times as many errors as legacy, whether errors are rare or common."""
    ours, theirs = binomial(40, 1.5 * rate, seed=3), binomial(60, rate, seed=4)
    false = 0
    for _ in range(100):
        pairs = ((Tally(40, ours()), Tally(60, theirs())) for _ in range(100))
        false += judged(pairs).verdict is Verdict.ROLLBACK
    assert false <= 2


@pytest.mark.req("INV12")
def test_an_outage_of_both_does_not_blame_the_candidate(binomial) -> None:
    """Half of all requests fail on both sides for an hour: no rollback."""
    ours, theirs = binomial(50, 0.5, seed=5), binomial(50, 0.5, seed=6)
    reading = judged((Tally(50, ours()), Tally(50, theirs())) for _ in range(60))
    assert reading.verdict is not Verdict.ROLLBACK
    assert not reading.frozen


@pytest.mark.req("O2")
def test_two_systems_without_errors_are_promoted() -> None:
    """No error on either side says nothing of a ratio, but many requests show it is rare: more
    than 1,000, as quiet minutes say little of a stream that might fail in bursts."""
    reading = judged((Tally(100, 0), Tally(100, 0)) for _ in range(10))
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    reading = judged((Tally(100, 0), Tally(100, 0)) for _ in range(40))
    assert reading.verdict is Verdict.PROMOTE


@pytest.mark.req("O2")
def test_without_a_floor_two_systems_without_errors_stay_undecided() -> None:
    """A plan that switches the floor off gets the ratio and nothing else."""
    gates = (GateSpec("errors", "relative_rate", "ok", 1.5, floor=0.0),)
    evidence = begin(gates)
    for _ in range(10):
        evidence = observe(gates, Rules(), evidence, look(Tally(100), Tally(100)))
    reading = assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert reading.gates[0].promote_evidence == pytest.approx(1.0)


@pytest.mark.req("O5")
def test_past_legacy_stands_in_when_all_traffic_has_moved(binomial) -> None:
    """At 100 % nothing fresh of legacy comes; the past rate still finds five times as many."""
    ours, theirs = binomial(100, 0.1, seed=7), binomial(100, 0.02, seed=8)
    evidence = begin(ERRORS)
    for _ in range(20):
        evidence = observe(ERRORS, Rules(), evidence, look(Tally(100, 2), Tally(100, theirs())))
    evidence = enter_stage(evidence, "canary-100", "canary")
    for _ in range(16):
        evidence = observe(ERRORS, Rules(), evidence, look(Tally(100, ours())))
    reading = assess(ERRORS, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK


@pytest.mark.req("INV6")
def test_without_any_legacy_there_is_no_rollback_evidence() -> None:
    """A ratio to nothing is never said to be broken, however bad the candidate."""
    reading = judged((Tally(100, 90), None) for _ in range(10))
    assert reading.rollback_evidence == 0.0
    assert reading.verdict is not Verdict.PROMOTE


@pytest.mark.req("INV12")
def test_a_past_rate_is_doubted_on_both_sides() -> None:
    """Five bad of 500 may be 0.3 % or 3 %: 2 % of the candidate is not passed and not stopped."""
    evidence = observe(ERRORS, Rules(), begin(ERRORS), look(Tally(), Tally(500, 5)))
    for _ in range(30):
        evidence = observe(ERRORS, Rules(), evidence, look(Tally(100, 2)))
    reading = assess(ERRORS, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict in (Verdict.INSUFFICIENT_EVIDENCE, Verdict.HOLD)
    assert not reading.frozen
    assert reading.gates[0].promote_evidence < 1.0


@pytest.mark.req("O2")
@pytest.mark.parametrize(("bad", "passes"), [(0, True), (3, False)])
def test_without_legacy_only_a_rare_failure_passes(bad: int, passes: bool) -> None:
    """Below the floor of 1 % a candidate passes by itself, above it never does."""
    reading = judged((Tally(100, bad), None) for _ in range(20))
    assert (reading.verdict is Verdict.PROMOTE) is passes

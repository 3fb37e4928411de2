"""The proportion kind: simulated rollouts with fixed seeds."""

from __future__ import annotations

from math import log

import pytest

from switchover.judge.block import Tally
from switchover.judge.evidence import log_total
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

AGREEMENT = (GateSpec("agreement", "proportion", "agreed", 0.15),)


def looks_until_rollback(draw, rules: Rules, n: int, looks: int) -> int | None:
    evidence = begin(AGREEMENT)
    for look in range(1, looks + 1):
        evidence = observe(AGREEMENT, rules, evidence, {"agreed": {"pair": Tally(n, draw())}})
        if log_total(evidence.gates["agreement"].against) >= log(1 / rules.alpha):
            return look
    return None


@pytest.mark.req("INV12")
@pytest.mark.parametrize(("planned", "rollouts"), [(300, 400), (None, 100)])
def test_a_candidate_on_the_limit_is_hardly_ever_rolled_back(binomial, planned, rollouts) -> None:
    """At most 1.5 % of the rollouts of 300 looks each, judged after every look, go wrong."""
    draw = binomial(25, 0.15, seed=11)
    rules = Rules(planned_looks=planned)
    false = sum(looks_until_rollback(draw, rules, 25, 300) is not None for _ in range(rollouts))
    assert false <= 0.015 * rollouts


@pytest.mark.req("O5")
def test_a_bad_candidate_is_found_within_minutes(binomial) -> None:
    """35 % bad where 15 % are allowed: every one of 100 rollouts ends within 200 pairs."""
    draw = binomial(20, 0.35, seed=12)
    ends = [looks_until_rollback(draw, Rules(), 20, 30) for _ in range(100)]
    assert None not in ends
    assert sorted(end for end in ends if end)[50] * 20 <= 200


@pytest.mark.req("O5")
@pytest.mark.parametrize("planned", [None, 600])
def test_a_sudden_failure_after_a_long_good_time_is_found_at_once(binomial, planned) -> None:
    """After 500 good looks a failure of 60 % takes at most four more, thanks to the restarts."""
    good, bad = binomial(50, 0.02, seed=13), binomial(50, 0.6, seed=14)
    for _ in range(20):
        seen = iter([*(good() for _ in range(500)), *(bad() for _ in range(5))])
        end = looks_until_rollback(
            lambda seen=seen: next(seen), Rules(planned_looks=planned), 50, 505
        )
        assert end is not None
        assert 500 < end <= 504


@pytest.mark.req("O5")
def test_a_rollout_longer_than_planned_stays_guarded(binomial) -> None:
    """A failure far beyond the planned looks is found as well."""
    good, bad = binomial(50, 0.02, seed=15), binomial(50, 0.6, seed=16)
    seen = iter([*(good() for _ in range(500)), *(bad() for _ in range(5))])
    end = looks_until_rollback(lambda: next(seen), Rules(planned_looks=50), 50, 505)
    assert end is not None
    assert end > 500


@pytest.mark.req("O2")
def test_a_good_candidate_is_promoted(binomial) -> None:
    """Agreement of 95 % where 85 % are asked for passes within 300 pairs, in 50 rollouts of 50."""
    draw = binomial(30, 0.05, seed=17)
    for _ in range(50):
        evidence = enter_stage(begin(AGREEMENT), "shadow", "shadow")
        verdicts = []
        for _ in range(10):
            evidence = observe(
                AGREEMENT, Rules(), evidence, {"agreed": {"pair": Tally(30, draw())}}
            )
            verdicts.append(
                assess(AGREEMENT, Rules(), evidence, stage_kind="shadow", dwell_over=True).verdict
            )
        assert verdicts[0] is Verdict.INSUFFICIENT_EVIDENCE
        assert verdicts[-1] is Verdict.PROMOTE


@pytest.mark.req("O5")
def test_a_candidate_on_the_limit_holds_and_says_so(binomial) -> None:
    """Enough to decide a noticeably better one, and still undecided: hold, no end foretold."""
    draw = binomial(100, 0.15, seed=18)
    evidence = enter_stage(begin(AGREEMENT), "shadow", "shadow")
    for _ in range(30):
        evidence = observe(AGREEMENT, Rules(), evidence, {"agreed": {"pair": Tally(100, draw())}})
    reading = assess(AGREEMENT, Rules(), evidence, stage_kind="shadow", dwell_over=True)
    assert reading.verdict is Verdict.HOLD
    assert "too close to the limit" in reading.sentence
    assert not reading.frozen


@pytest.mark.req("O5")
def test_a_candidate_on_the_promote_limit_is_hardly_ever_passed(binomial) -> None:
    """At most 5 % (and chance) of 300 stages of 100 looks pass a candidate on the limit."""
    draw = binomial(25, 0.15, seed=19)
    passed = 0
    for _ in range(300):
        evidence = begin(AGREEMENT)
        for _ in range(100):
            evidence = observe(
                AGREEMENT, Rules(), evidence, {"agreed": {"pair": Tally(25, draw())}}
            )
            if log_total(evidence.gates["agreement"].favour) >= log(20):
                passed += 1
                break
    assert passed <= 22


@pytest.mark.req("O2")
def test_between_the_two_limits_nothing_moves(binomial) -> None:
    """Better than the rollback limit and worse than the promote limit: hold, not frozen."""
    gates = (GateSpec("agreement", "proportion", "agreed", 0.3, promote_limit=0.1),)
    draw = binomial(100, 0.2, seed=20)
    evidence = begin(gates)
    for _ in range(60):
        evidence = observe(gates, Rules(), evidence, {"agreed": {"pair": Tally(100, draw())}})
    reading = assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.HOLD
    assert not reading.frozen
    assert reading.gates[0].need is None


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, 85.0, float("nan")])
def test_a_limit_that_is_no_rate_is_refused(limit: float) -> None:
    """Zero belongs to kind count, and percentages are written as shares."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        GateSpec("agreement", "proportion", "agreed", limit)


def told_at_rollback(draw, spec: GateSpec, n: int, looks: int) -> tuple[float, int, int] | None:
    """The share told, of how many, and the look, when ``spec`` rolls back within ``looks``."""
    evidence = begin((spec,))
    for look in range(1, looks + 1):
        evidence = observe((spec,), Rules(), evidence, {"agreed": {"pair": Tally(n, draw())}})
        gate = evidence.gates["agreement"]
        if log_total(gate.against) >= log(1 / Rules().alpha):
            return gate.recent_bad / gate.recent_n, int(gate.recent_n), look
    return None


@pytest.mark.req("O5")
@pytest.mark.parametrize("n", [1, 5, 20])
def test_the_share_told_at_a_rollback_is_that_of_the_failure(binomial, n) -> None:
    """After 30 minutes of two per cent, 35 % bad: what is told began with those, not before."""
    spec = GateSpec("agreement", "proportion", "agreed", 0.10)
    good, bad = binomial(n, 0.02, seed=21), binomial(n, 0.35, seed=22)
    for _ in range(20):
        seen = iter([*(good() for _ in range(360)), *(bad() for _ in range(400))])
        share, told, look = told_at_rollback(lambda seen=seen: next(seen), spec, n, 760)
        assert look > 360
        assert 0.2 < share < 0.8
        assert told <= (look - 360) * n + 30


@pytest.mark.req("O5")
@pytest.mark.parametrize("rate", [0.13, 0.2, 0.35, 0.9])
def test_a_rollback_tells_a_share_beyond_the_limit(binomial, rate) -> None:
    """Whatever was before and however far beyond the limit it is, within which nothing is told."""
    spec = GateSpec("agreement", "proportion", "agreed", 0.10)
    before, bad = binomial(20, 0.08, seed=23), binomial(20, rate, seed=24)
    for _ in range(50):
        seen = iter([*(before() for _ in range(50)), *(bad() for _ in range(1500))])
        share, _, _ = told_at_rollback(lambda seen=seen: next(seen), spec, 20, 1550)
        assert share > 0.10


@pytest.mark.req("O5")
def test_the_sentence_of_a_rollback_tells_the_failure(binomial) -> None:
    """People read the figure that the verdict rests on."""
    spec = GateSpec("agreement", "proportion", "agreed", 0.10)
    evidence = enter_stage(begin((spec,)), "canary", "canary")
    for bad in [0, 1] * 180 + [7] * 6:
        evidence = observe((spec,), Rules(), evidence, {"agreed": {"pair": Tally(20, bad)}})
    reading = assess((spec,), Rules(), evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK
    assert "35 % of the latest 120 bad, 10 % allowed" in reading.sentence

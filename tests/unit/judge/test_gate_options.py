"""Options that all kinds share: critical, report_only, warm-up, noise, and how long it takes."""

from __future__ import annotations

import math

import pytest

from switchover.judge.block import Tally
from switchover.judge.evidence import LOG_ZERO, SHIFTS
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, budget, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

NOISY = (GateSpec("agreement", "proportion", "agreed", 0.1, noise="noise_rate"),)


def gates(count: int, **first) -> tuple[GateSpec, ...]:
    rest = [GateSpec(f"g{n}", "proportion", f"m{n}", 0.1) for n in range(1, count)]
    return (GateSpec("g0", "proportion", "m0", 0.1, **first), *rest)


def judged(gates, evidence, **more):
    return assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True, **more)


def with_evidence(gates, value: float):
    evidence = begin(gates)
    evidence.gates["g0"].against = (math.log(value), *[LOG_ZERO] * (len(SHIFTS) - 1))
    return evidence


@pytest.mark.req("INV12")
def test_a_critical_gate_rolls_back_alone_at_its_own_share() -> None:
    """One of ten: by itself it takes 200 if it is critical, and 1,000 if it is not."""
    critical, plain = gates(10, critical=True), gates(10)
    assert budget(critical)["g0"] == 0.5
    assert sum(budget(critical).values()) == pytest.approx(1.0)
    for value, expected in ((199, Verdict.HOLD), (201, Verdict.ROLLBACK)):
        assert judged(critical, with_evidence(critical, value)).verdict is expected
    for value, expected in ((999, Verdict.HOLD), (1001, Verdict.ROLLBACK)):
        assert judged(plain, with_evidence(plain, value)).verdict is expected


@pytest.mark.req("INV12")
def test_critical_gates_share_their_half_by_weight() -> None:
    """Two critical ones of weights 3 and 1 have three eighths and one; only critical, all."""
    some = (
        GateSpec("a", "proportion", "m", 0.1, critical=True, weight=3.0),
        GateSpec("b", "proportion", "n", 0.1, critical=True),
        GateSpec("c", "proportion", "o", 0.1),
    )
    assert budget(some) == {"a": 0.375, "b": 0.125, "c": 0.5}
    assert budget(some[:2]) == {"a": 0.75, "b": 0.25}


@pytest.mark.req("O5")
def test_a_gate_for_report_only_neither_rolls_back_nor_holds() -> None:
    """It says what it would do, and the others decide, with the whole budget."""
    both = gates(2, report_only=True)
    evidence = enter_stage(begin(both), "canary-10", "canary")
    for _ in range(5):
        look = {"m0": {"candidate": Tally(100, 90)}, "m1": {"candidate": Tally(100, 1)}}
        evidence = observe(both, Rules(), evidence, look)
    reading = judged(both, evidence)
    assert reading.verdict is Verdict.PROMOTE
    assert not reading.frozen
    assert [gate.verdict for gate in reading.gates] == [Verdict.ROLLBACK, Verdict.PROMOTE]
    assert [gate.report_only for gate in reading.gates] == [True, False]
    assert "(report only)" in reading.gates[0].sentence
    assert budget(both[1:]) == {"g1": 1.0}


@pytest.mark.req("O5")
def test_what_is_seen_while_a_stage_warms_up_is_not_judged() -> None:
    """Neither against the candidate nor for it, and only by the gates that warm up."""
    both = gates(2, warm_up=600.0)
    look = {name: {"candidate": Tally(100, 60)} for name in ("m0", "m1")}
    evidence = enter_stage(begin(both), "canary-10", "canary")
    evidence = observe(both, Rules(), evidence, look, age=599.0)
    assert [evidence.gates[name].blocks for name in ("g0", "g1")] == [0, 1]
    evidence = observe(both, Rules(), evidence, look, age=600.0)
    assert [evidence.gates[name].blocks for name in ("g0", "g1")] == [1, 2]


@pytest.mark.req("O4")
def test_agreement_is_judged_on_top_of_legacys_own_noise(binomial) -> None:
    """Legacy differs from itself in a fifth of pairs: so may the candidate, where a tenth is
    allowed; without the noise it would be rolled back."""
    draw, noise = binomial(50, 0.2, seed=81), binomial(20, 0.2, seed=82)
    for options, expected in ((NOISY, Verdict.PROMOTE), (gates(1), Verdict.ROLLBACK)):
        evidence = enter_stage(begin(options), "shadow", "shadow")
        for _ in range(75):
            bad = Tally(50, draw())
            look = {
                "agreed": {"pair": bad},
                "m0": {"pair": bad},
                "noise_rate": {"pair": Tally(20, noise())},
            }
            evidence = observe(options, Rules(), evidence, look)
        reading = judged(options, evidence)
        assert reading.verdict is expected


@pytest.mark.req("O4")
def test_a_candidate_that_differs_far_more_than_legacy_does_is_found(binomial) -> None:
    """45 % where 28 % would be noise and allowance together."""
    draw, noise = binomial(50, 0.45, seed=83), binomial(20, 0.2, seed=84)
    evidence = begin(NOISY)
    for _ in range(60):
        look = {"agreed": {"pair": Tally(50, draw())}, "noise_rate": {"pair": Tally(20, noise())}}
        evidence = observe(NOISY, Rules(), evidence, look)
    reading = judged(NOISY, evidence)
    assert reading.verdict is Verdict.ROLLBACK


@pytest.mark.req("INV12")
def test_a_candidate_as_far_off_as_noise_allows_is_hardly_ever_rolled_back(binomial) -> None:
    """Exactly on the limit, 28 %: of 60 rollouts of 80 looks at most one falls."""
    draw, noise = binomial(50, 0.28, seed=85), binomial(20, 0.2, seed=86)
    false = 0
    for _ in range(60):
        evidence = begin(NOISY)
        for _ in range(80):
            look = {
                "agreed": {"pair": Tally(50, draw())},
                "noise_rate": {"pair": Tally(20, noise())},
            }
            evidence = observe(NOISY, Rules(), evidence, look)
            if judged(NOISY, evidence).verdict is Verdict.ROLLBACK:
                false += 1
                break
    assert false <= 1


@pytest.mark.req("INV6")
def test_without_noise_data_an_agreement_on_top_of_noise_is_not_judged() -> None:
    """It can't be known what is too much; it says what it waits for."""
    evidence = enter_stage(begin(NOISY), "canary-10", "canary")
    for _ in range(20):
        evidence = observe(NOISY, Rules(), evidence, {"agreed": {"pair": Tally(50, 20)}})
    assert evidence.gates["agreement"].blocks == 0
    reading = judged(NOISY, evidence)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "legacy's agreement with itself is not known yet (0 of 50 pairs)" in reading.sentence


@pytest.mark.req("O5")
def test_a_sentence_says_how_much_longer_at_the_present_rate() -> None:
    """Sixty observations a minute, and some hundred more are needed."""
    only = gates(1)
    evidence = enter_stage(begin(only), "canary-10", "canary")
    for minute in range(3):
        look = {"m0": {"candidate": Tally(60, 4)}}
        evidence = observe(only, Rules(), evidence, look, at=60.0 * minute)
    reading = judged(only, evidence).gates[0]
    assert reading.need is not None
    assert reading.wait == pytest.approx(reading.need)
    assert f"about {reading.need} more observations at this rate, about " in reading.sentence
    assert reading.sentence.endswith("min")
    assert enter_stage(evidence, "canary-25", "canary").gates["g0"].rate is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cap": 1.0}, "cap belongs"),
        ({"kind": "mean", "noise": "n"}, "noise belongs"),
        ({"kind": "mean", "bursty": True}, "bursty belongs"),
        ({"warm_up": -1.0}, "warm_up"),
        ({"critical": True, "report_only": True}, "at once"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=message):
        GateSpec(**{"name": "g", "kind": "proportion", "metric": "m", "limit": 0.15} | changes)


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("kind", "limit"), [("proportion", 0.1), ("relative_rate", 1.5), ("count", 0)]
)
def test_numbers_are_no_good_answers(kind: str, limit: float) -> None:
    """Whoever records 0 for a failure has recorded a number, and no gate may pass on it."""
    only = (GateSpec("success", kind, "ok", limit),)
    zeros = Tally(n=1000, sketch={bucket_of(0.0): 1000})
    evidence = enter_stage(begin(only), "canary-10", "canary")
    for _ in range(20):
        look = {"ok": {"candidate": zeros, "legacy": Tally(n=1000)}}
        evidence = observe(only, Rules(), evidence, look)
    reading = judged(only, evidence)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert reading.gates[0].n == 0
    both = {"ok": {"candidate": Tally(n=1500, bad=500, sketch=zeros.sketch)}}
    assert observe(only, Rules(), evidence, both).gates["success"].n == 500


@pytest.mark.req("O5")
def test_a_frozen_gate_says_how_much_of_its_evidence_counts() -> None:
    """Evidence of a million that does not roll back would puzzle whoever reads it."""
    only = (GateSpec("success", "proportion", "ok", 0.1),)
    evidence = enter_stage(begin(only), "canary-10", "canary")
    for minute, bad in enumerate((0, 50)):
        look = {"ok": {"candidate": Tally(n=100, bad=bad), "legacy": Tally(n=100)}}
        evidence = observe(only, Rules(), evidence, look, at=60.0 * minute)
    (gate,) = judged(only, evidence).gates
    assert gate.verdict is Verdict.HOLD
    assert "evidence over 1,000,000" in gate.sentence
    counted = f"{gate.rollback_evidence:.3g} of it counts while little is known of legacy's bursts"
    assert counted in gate.sentence

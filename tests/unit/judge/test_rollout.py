"""A rollout of several gates: evidence from look to look, and the stage's verdict."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.block import Block, Tally, tally
from switchover.judge.evidence import LOG_ZERO, SHIFTS
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rollout import Evidence, Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import bucket_of
from switchover.judge.verdict import Verdict

GATES = (
    GateSpec("agreement", "proportion", "agreed", 0.15),
    GateSpec("latency", "quantile", "seconds", 0.2),
    GateSpec("speed", "relative_quantile", "seconds", 1.5, quantile=0.95),
    GateSpec("errors", "relative_rate", "ok", 1.5),
    GateSpec("memory", "memory", "bytes", 0.2),
    GateSpec("refusals", "count", "refused", 0),
    GateSpec("pairs", "paired", "right", 0.05),
    GateSpec("duration", "mean", "spent", 1.0),
    GateSpec("scores", "drift", "seconds", 0.2),
    GateSpec("split", "sample_ratio", "ok", 0.02),
)
PAIR = GATES[:1]
TWO = (PAIR[0], GateSpec("success", "proportion", "ok", 0.3))


def good_look() -> dict[str, dict[str, Tally]]:
    fast = {bucket_of(0.05): 95, bucket_of(0.06): 5}
    both = {
        "seconds": (Tally(n=100, sketch=fast), Tally(n=100, sketch=fast)),
        "ok": (Tally(100, 0), Tally(100, 0)),
        "spent": (Tally(100, 0, 50.0, 26.0), Tally()),
        "bytes": (Tally(n=6, total=6.3), Tally(n=6, total=6.0)),
        "refused": (Tally(100, 0), Tally()),
    }
    look = {name: {"candidate": ours, "legacy": theirs} for name, (ours, theirs) in both.items()}
    return look | {"agreed": {"pair": Tally(100, 3)}, "right": {"pair": Tally(100, 1, 0.0, 2.0)}}


def watched(looks: int, gates=GATES, rules: Rules = Rules(), look=None) -> Evidence:  # noqa: B008
    evidence = enter_stage(begin(gates), "canary-10", "canary", 0.5)
    for _ in range(looks):
        evidence = observe(gates, rules, evidence, look or good_look())
    return evidence


def judged(evidence: Evidence, gates=GATES, stage_kind="canary", dwell_over=True, **more):
    return assess(gates, Rules(), evidence, stage_kind=stage_kind, dwell_over=dwell_over, **more)


@pytest.mark.req("O2")
def test_a_good_candidate_passes_all_kinds_of_gates() -> None:
    """Every kind promotes on the same good looks, and the stage with them."""
    reading = judged(watched(30))
    assert {gate.verdict for gate in reading.gates} == {Verdict.PROMOTE}
    assert {gate.kind for gate in reading.gates} == set(kinds())
    assert reading.verdict is Verdict.PROMOTE
    assert all(gate.need == 0 for gate in reading.gates)


@pytest.mark.req("INV6")
def test_a_gate_that_never_got_data_never_promotes() -> None:
    """Whichever metric is missing, the stage waits and names the gate."""
    for gate in GATES:
        look = good_look()
        del look[gate.metric]
        reading = judged(watched(30, look=look))
        assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
        assert f"{gate.name}: no data" in reading.sentence


@pytest.mark.req("INV6")
def test_nothing_at_all_neither_promotes_nor_rolls_back() -> None:
    """Empty looks, for hours: not enough evidence, and none against the candidate."""
    evidence = enter_stage(begin(GATES), "canary-10", "canary")
    for _ in range(500):
        evidence = observe(GATES, Rules(), evidence, {})
    reading = judged(evidence)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert reading.rollback_evidence == 0.0
    assert not reading.frozen


@pytest.mark.req("O5")
def test_empty_looks_leave_the_evidence_as_it_is() -> None:
    """They are counted, and cost neither W nor G anything."""
    before = watched(7)
    after = observe(GATES, Rules(), before, {"agreed": {"pair": Tally()}, "ok": {}})
    assert after.gates == before.gates
    assert after.looks == before.looks + 1


@pytest.mark.req("O5")
def test_observing_does_not_change_what_was_before() -> None:
    """The evidence handed in can be kept, for instance to try again after a lost race."""
    before = watched(3)
    kept = json.dumps(before.to_dict())
    observe(GATES, Rules(), before, good_look())
    enter_stage(before, "canary-25", "canary")
    assert json.dumps(before.to_dict()) == kept


@given(st.permutations(range(6)), st.lists(st.integers(0, 40), min_size=6, max_size=6))
@pytest.mark.req("O5")
def test_blocks_may_arrive_in_any_order(order: list[int], bad: list[int]) -> None:
    """The same blocks in one look give the same evidence, whatever their order."""
    blocks = [Block(str(i), "m", "agreed", "pair", 60.0 * i, 60, 40, bad[i]) for i in range(6)]
    sorted_, shuffled = (
        observe(PAIR, Rules(), begin(PAIR), tally(some))
        for some in (blocks, [blocks[i] for i in order])
    )
    assert sorted_ == shuffled


@given(st.integers(0, 12), st.booleans())
@pytest.mark.req("O5")
def test_evidence_survives_being_stored(looks: int, new_stage: bool) -> None:
    """Through strict JSON and back it is equal, and goes on equally."""
    evidence = watched(looks)
    if new_stage:
        evidence = enter_stage(evidence, "canary-25", "canary")
    again = Evidence.from_dict(json.loads(json.dumps(evidence.to_dict(), allow_nan=False)))
    assert again == evidence
    assert observe(GATES, Rules(), again, good_look()) == observe(
        GATES, Rules(), evidence, good_look()
    )


@pytest.mark.req("O5")
def test_a_reading_is_plain_json() -> None:
    """Readings go into the ledger and over the API as they are, even of total failure."""
    look = good_look() | {"agreed": {"pair": Tally(10**6, 10**6)}}
    reading = judged(watched(5, look=look))
    document = json.loads(json.dumps(reading.to_dict(), allow_nan=False))
    assert document["verdict"] == "rollback"
    assert document["gates"][0]["rollback_evidence"] == 1e300
    assert document["rollback_threshold"] == 100.0


@pytest.mark.req("O5")
def test_a_stage_begins_its_promote_evidence_anew_and_keeps_what_speaks_against() -> None:
    """G and the counts are reset, W is not."""
    before = watched(20)
    after = enter_stage(before, "canary-25", "canary")
    for name, state in after.gates.items():
        assert state.against == before.gates[name].against
        assert state.blocks == before.gates[name].blocks
        assert state.favour == ()
        assert state.n == state.bad == 0
    assert judged(after).verdict is Verdict.INSUFFICIENT_EVIDENCE


@pytest.mark.req("O5")
def test_what_was_recorded_before_the_stage_does_not_help_it() -> None:
    """Late blocks of the stage before feed W only."""
    evidence = enter_stage(begin(PAIR), "canary-25", "canary")
    late = {"agreed": {"pair": Tally(1000, 0)}}
    evidence = observe(PAIR, Rules(), evidence, late, {})
    assert evidence.gates["agreement"].n == 0
    assert evidence.gates["agreement"].blocks == 1
    assert judged(evidence, PAIR).verdict is Verdict.INSUFFICIENT_EVIDENCE


@pytest.mark.req("O5")
def test_before_the_bake_time_is_over_it_holds_and_says_how_long() -> None:
    """Every gate passes, and still there is something to wait for."""
    reading = judged(watched(30), dwell_over=False, dwell_left=3600.0)
    assert reading.verdict is Verdict.HOLD
    assert "3,600 s are left" in reading.sentence


@pytest.mark.req("INV12")
def test_several_gates_share_one_error_budget() -> None:
    """With two equal gates, evidence 150 of one alone is 75 of the 100 that it takes."""

    def with_evidence(first: float, second: float) -> Evidence:
        evidence = begin(TWO)
        for gate, value in zip(TWO, (first, second), strict=True):
            state = evidence.gates[gate.name]
            state.against = (math.log(value), *state.against[1:])
        return evidence

    alone = judged(with_evidence(150, 0.1), TWO)
    assert alone.verdict is Verdict.HOLD
    assert alone.frozen
    assert alone.rollback_evidence == pytest.approx(75.05)
    together = judged(with_evidence(150, 60), TWO)
    assert together.verdict is Verdict.ROLLBACK
    assert [gate.verdict for gate in together.gates] == [Verdict.ROLLBACK, Verdict.HOLD]


@pytest.mark.req("INV12")
def test_a_heavier_gate_needs_less_evidence() -> None:
    """Weights are normalised: 3 and 1 make three quarters and one."""
    gates = (GateSpec("a", "proportion", "agreed", 0.15, weight=3.0), TWO[1])
    evidence = begin(gates)
    evidence.gates["a"].against = (math.log(140), *[LOG_ZERO] * (len(SHIFTS) - 1))
    assert judged(evidence, gates).rollback_evidence == pytest.approx(105.0)
    assert judged(evidence, gates).verdict is Verdict.ROLLBACK


@pytest.mark.req("O5")
@pytest.mark.parametrize(("value", "frozen"), [(9.9, False), (10.1, True)])
def test_evidence_of_ten_against_freezes_the_ramp(value: float, frozen: bool) -> None:
    """However good the rest looks, nothing is promoted then."""
    evidence = watched(30)
    evidence.gates["agreement"].against = (math.log(value), *[LOG_ZERO] * (len(SHIFTS) - 1))
    reading = judged(evidence)
    assert reading.frozen is frozen
    assert reading.verdict is (Verdict.HOLD if frozen else Verdict.PROMOTE)
    assert ("frozen by agreement" in reading.sentence) is frozen


@pytest.mark.req("O5")
def test_a_gate_of_another_stage_kind_is_neither_fed_nor_asked() -> None:
    """A gate for the canary does not judge the shadow, and has nothing to say of it later."""
    gates = (GATES[1], GateSpec("agreement", "proportion", "agreed", 0.15, stages=("shadow",)))
    bad = good_look() | {"agreed": {"pair": Tally(100, 90)}}
    evidence = watched(30, gates, look=bad)
    reading = judged(evidence, gates)
    assert [gate.gate for gate in reading.gates] == ["latency"]
    assert reading.verdict is Verdict.PROMOTE
    shadow = observe(gates, Rules(), enter_stage(evidence, "shadow", "shadow"), bad)
    assert judged(shadow, gates, "shadow").verdict is Verdict.ROLLBACK


@pytest.mark.req("O5")
def test_a_gate_added_later_begins_without_evidence() -> None:
    """A new plan version may bring a gate; stored evidence does not know it yet."""
    evidence = watched(30, PAIR)
    reading = judged(evidence, GATES[:2])
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "latency: no data" in reading.sentence
    assert observe(GATES, Rules(), evidence, good_look()).gates["latency"].n == 100


@pytest.mark.req("O5")
def test_a_sentence_says_what_was_seen_allowed_and_is_missing() -> None:
    """The numbers of the reading, in words."""
    reading = judged(watched(1, PAIR, look={"agreed": {"pair": Tally(100, 10)}}), PAIR)
    gate = reading.gates[0]
    assert "10 % of 100 bad, 15 % allowed" in gate.sentence
    assert f"about {gate.need:,} more observations" in gate.sentence


def test_two_gates_of_one_name_are_refused() -> None:
    """Their evidence could not be told apart."""
    with pytest.raises(ValueError, match="agreement"):
        begin((*PAIR, *PAIR))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "guess"}, "unknown kind"),
        ({"name": ""}, "name is empty"),
        ({"weight": 0.0}, "weight"),
        ({"n_min": 0}, "n_min"),
        ({"promote_limit": 0.2}, "laxer"),
        ({"floor": 0.1}, "floor"),
        ({"kind": "quantile", "limit": -1.0}, "positive"),
        ({"kind": "relative_rate", "limit": 0.0}, "ratio"),
        ({"kind": "relative_quantile", "limit": math.inf}, "ratio"),
        ({"kind": "memory", "limit": -1.0}, "relative growth"),
    ],
)
def test_an_impossible_gate_is_refused(changes: dict[str, object], message: str) -> None:
    """The message names what is wrong."""
    values = {"name": "g", "kind": "proportion", "metric": "m", "limit": 0.15} | changes
    with pytest.raises(ValueError, match=message):
        GateSpec(**values)


@pytest.mark.parametrize(
    "changes",
    [{"alpha": 0.0}, {"alpha_promote": 1.0}, {"planned_looks": 0}, {"freeze_at": 101.0},
     {"gauge_seconds": 0.0}],
)  # fmt: skip
def test_impossible_rules_are_refused(changes: dict[str, float]) -> None:
    """The message names the rule."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        Rules(**changes)


@pytest.mark.parametrize("document", [{}, {"stage": "s"}, {"stage": "", "stage_kind": "",
    "looks": 0, "gates": {"g": {"x": 1}}}])  # fmt: skip
def test_evidence_that_can_not_be_read_is_an_error(document: dict[str, object]) -> None:
    """Unreadable evidence never becomes a fresh start."""
    with pytest.raises(ValueError, match="not the evidence"):
        Evidence.from_dict(document)


@pytest.mark.req("INV6")
@pytest.mark.parametrize("dwell_over", [True, False])
def test_a_stage_that_no_gate_judges_is_not_promoted(dwell_over: bool) -> None:
    """Neither without gates, nor with gates of other stages or for report only."""
    away = GateSpec("away", "count", "m", 0, stages=("shadow",))
    told = GateSpec("told", "count", "m", 0, report_only=True)
    for gates in ((), (away,), (told,)):
        reading = assess(gates, Rules(), begin(gates), stage_kind="canary", dwell_over=dwell_over)
        assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
        assert "no gate judges this stage" in reading.sentence

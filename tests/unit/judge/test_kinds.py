"""What holds for every kind of gate, whatever it looks at."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.judge.block import Block, Tally, tally
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec, kinds
from switchover.judge.rollout import Evidence, Rules, assess, begin, enter_stage, observe
from switchover.judge.sketch import HIGHEST, LOWEST
from switchover.judge.verdict import Verdict
from switchover.observe.cell import Cell

LIMITS = {
    "proportion": 0.1,
    "quantile": 0.2,
    "relative_rate": 1.5,
    "relative_quantile": 1.5,
    "memory": 0.2,
    "count": 3.0,
    "paired": 0.02,
    "mean": 0.3,
    "drift": 0.1,
    "sample_ratio": 0.02,
}
RULES = Rules(planned_looks=100)

buckets = st.integers(-400, 400) | st.sampled_from((LOWEST, HIGHEST))


@st.composite
def blocks(draw: st.DrawFn, system: str, number: int) -> Block:
    """A block as a recorder could have made it: durations, failures and pairs in one."""
    sketch = draw(st.dictionaries(buckets, st.integers(1, 60), max_size=6))
    n = sum(sketch.values())
    total = float(draw(st.integers(-n, n)))
    squares = abs(total) + 2.0 * draw(st.integers(0, max(0, n - int(abs(total))))) / 2.0
    return Block(str(number), "m", "metric", system, 60.0 * number, 60.0, n,
                 draw(st.integers(0, n)), total, squares, sketch)  # fmt: skip


@st.composite
def many(draw: st.DrawFn) -> list[Block]:
    systems = draw(st.lists(st.sampled_from(("legacy", "candidate", "pair")), max_size=8))
    return [draw(blocks(system, number)) for number, system in enumerate(systems)]


def gate(kind: str) -> tuple[GateSpec, ...]:
    return (GateSpec(kind, kind, "metric", LIMITS[kind]),)


def watched(kind: str, looks: list[list[Block]]) -> Evidence:
    gates = gate(kind)
    evidence = enter_stage(begin(gates), "canary-10", "canary", 0.1)
    for number, look in enumerate(looks):
        evidence = observe(gates, RULES, evidence, tally(look), at=60.0 * number)
    return evidence


def close(one: object, other: object) -> bool:
    """Equal but for the last digits of sums added in another order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(close(left, right) for left, right in pairs)
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return one == other


def test_every_kind_is_here() -> None:
    """A kind without a limit in this file would not be held to anything."""
    assert LIMITS.keys() == kinds().keys()


@pytest.mark.req("O5")
@pytest.mark.parametrize("kind", LIMITS)
@settings(max_examples=25, deadline=None)
@given(looks=st.lists(many(), max_size=5), order=st.randoms(use_true_random=False))
def test_the_order_in_which_blocks_are_merged_does_not_matter(kind, looks, order) -> None:
    """Blocks of many recorders come in any order within a look."""
    shuffled = [order.sample(look, len(look)) for look in looks]
    assert close(watched(kind, looks).to_dict(), watched(kind, shuffled).to_dict())


@pytest.mark.req("O5")
@pytest.mark.parametrize("kind", LIMITS)
@settings(max_examples=25, deadline=None)
@given(looks=st.lists(many(), max_size=6))
def test_evidence_survives_strict_json_and_is_never_not_a_number(kind, looks) -> None:
    """What is kept is finite, comes back equal, and goes on equally."""
    evidence = watched(kind, looks)
    again = Evidence.from_dict(json.loads(json.dumps(evidence.to_dict(), allow_nan=False)))
    assert again == evidence
    more = {"metric": {}} if not looks else tally(looks[-1])
    gates = gate(kind)
    assert observe(gates, RULES, again, more, at=9e3) == observe(
        gates, RULES, evidence, more, at=9e3
    )


@pytest.mark.req("O5")
@pytest.mark.parametrize("kind", LIMITS)
@settings(max_examples=25, deadline=None)
@given(looks=st.lists(many(), max_size=6))
def test_a_reading_is_strict_json_and_its_evidence_no_less_than_nothing(kind, looks) -> None:
    """An estimate may be infinite where what was measured is; evidence and sentence never are."""
    reading = assess(gate(kind), RULES, watched(kind, looks), stage_kind="canary", dwell_over=True)
    only = reading.gates[0]
    assert 0.0 <= only.rollback_evidence <= 1e300
    assert 0.0 <= only.promote_evidence <= 1e300
    assert "nan" not in only.sentence
    assert only.wait is None or only.wait >= 0.0


@pytest.mark.req("INV6")
@pytest.mark.parametrize("kind", LIMITS)
def test_no_data_is_no_evidence(kind) -> None:
    """Empty looks, however many, neither promote nor speak against anything."""
    empty = [Block(str(n), "m", "metric", s, 0.0, 60.0, 0)
             for n, s in enumerate(("legacy", "candidate", "pair"))]  # fmt: skip
    evidence = watched(kind, [[], empty, [], empty])
    state = evidence.gates[kind]
    assert state.n == 0
    assert state.blocks == 0
    assert state.against == GateEvidence().against
    reading = assess(gate(kind), RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "no data" in reading.sentence


#: From the least to the largest, and what is no number at all.
EXTREMES = (-1.7e308, -1e150, 0.0, 5e-324, 1e-300, 1e-150, 1.0, 1e150, 1.3e154, 1e300, 1.7e308,
            math.inf, math.nan)  # fmt: skip
extremes = st.sampled_from(EXTREMES) | st.floats()


def recorded(system: str, values: list[float], number: int) -> Block:
    """The block that a recorder makes of these values."""
    cell = Cell(0)
    cell.values = values * 50
    return cell.block("m", "metric", system, 60.0 * number, 60.0)


@pytest.mark.req("INV6")
@pytest.mark.parametrize("kind", LIMITS)
@settings(max_examples=40, deadline=None)
@given(
    seen=st.lists(st.tuples(*[st.lists(extremes, min_size=1, max_size=3)] * 4), min_size=1,
                  max_size=4)
)  # fmt: skip
def test_no_value_however_extreme_stops_the_judging(kind, seen) -> None:
    """What a gate raised would stop the collection for all gates, look after look."""
    looks = [
        [recorded("candidate", values[turn % 2], turn), recorded("legacy", values[2], turn),
         recorded("pair", values[3], turn)][: 3 if turn % 3 else 2]
        for turn, values in enumerate(seen * 12)
    ]  # fmt: skip
    evidence = watched(kind, looks)
    again = Evidence.from_dict(json.loads(json.dumps(evidence.to_dict(), allow_nan=False)))
    reading = assess(gate(kind), RULES, again, stage_kind="canary", dwell_over=True)
    assert "nan" not in reading.sentence
    assert reading.gates[0].estimate is None or not math.isnan(reading.gates[0].estimate)
    json.dumps([reading.rollback_evidence, reading.gates[0].promote_evidence], allow_nan=False)


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("kind", "limit", "candidate", "legacy"),
    [
        ("memory", 0.2, 1e-300, 1e150),
        ("memory", 0.2, 1e150, 5e-324),
        ("memory", 0.2, 1.7e308, 1e-300),
        ("mean", 1e-99, 1e150, 1.0),
        ("mean", 1e99, 5e-324, 1.0),
    ],
)
def test_values_far_apart_leave_finite_evidence(kind, limit, candidate, legacy) -> None:
    """Far outside what anybody measures, evidence is still written and read."""
    gates = (GateSpec(kind, kind, "metric", limit),)
    evidence = enter_stage(begin(gates), "canary-10", "canary", 0.1)
    for turn in range(60):
        pair = (candidate, legacy) if turn % 2 else (1.0, 1.0)
        look = [recorded(system, [value], turn)
                for system, value in zip(("candidate", "legacy"), pair, strict=True)]  # fmt: skip
        evidence = observe(gates, RULES, evidence, tally(look), at=60.0 * turn)
    document = json.dumps(evidence.to_dict(), allow_nan=False)
    reading = assess(
        gates, RULES, Evidence.from_dict(json.loads(document)), stage_kind="canary", dwell_over=True
    )
    assert math.isfinite(reading.gates[0].estimate or 0.0)


@pytest.mark.req("INV6")
@pytest.mark.parametrize("kind", ["relative_quantile", "drift", "memory"])
def test_values_that_nobody_can_read_are_no_evidence(kind) -> None:
    """Of a legacy that is unreadable nothing is learnt, so nothing is passed or sent back."""
    unread = Tally(n=100, sketch={HIGHEST: 100})
    evidence = enter_stage(begin(gate(kind)), "canary-10", "canary", 0.1)
    for turn in range(60):
        look = {"metric": {"candidate": unread, "legacy": unread}}
        evidence = observe(gate(kind), RULES, evidence, look, at=60.0 * turn)
    reading = assess(gate(kind), RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE


@pytest.mark.req("INV6")
@pytest.mark.parametrize("kind", ["relative_quantile", "drift"])
def test_unreadable_values_of_the_candidate_are_bad_ones(kind) -> None:
    """Also while legacy can't be read any more, and its past stands in."""
    good, unread = Tally(n=100, sketch={1: 50, 2: 50}), Tally(n=100, sketch={HIGHEST: 100})
    evidence = enter_stage(begin(gate(kind)), "canary-10", "canary", 0.1)
    for turn in range(60):
        systems = (good, good) if turn < 20 else (unread, unread)
        look = {"metric": dict(zip(("candidate", "legacy"), systems, strict=True))}
        evidence = observe(gate(kind), RULES, evidence, look, at=60.0 * turn)
    reading = assess(gate(kind), RULES, evidence, stage_kind="canary", dwell_over=True)
    assert reading.verdict is Verdict.ROLLBACK

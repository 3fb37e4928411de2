"""The count kind."""

from __future__ import annotations

import pytest

from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.rollout import Rules, assess, begin, enter_stage, observe
from switchover.judge.verdict import Verdict

REFUSALS = (GateSpec("CDS errors", "count", "refused", 0),)


def after(*tallies: Tally, gates=REFUSALS):
    evidence = begin(gates)
    for tally in tallies:
        evidence = observe(gates, Rules(), evidence, {"refused": {"candidate": tally}})
    return evidence


def judged(evidence, gates=REFUSALS):
    return assess(gates, Rules(), evidence, stage_kind="canary", dwell_over=True)


@pytest.mark.req("O2")
def test_one_event_where_none_is_allowed_rolls_back_at_once() -> None:
    """No statistics: the first refused answer ends it, even before the bake time is over."""
    reading = assess(
        REFUSALS, Rules(), after(Tally(1000, 0), Tally(3, 1)), stage_kind="canary", dwell_over=False
    )
    assert reading.verdict is Verdict.ROLLBACK
    assert reading.gates[0].estimate == 1.0
    assert "1 events in 1,003" in reading.sentence


@pytest.mark.req("O2")
def test_an_event_counts_for_the_whole_rollout() -> None:
    """Three allowed: two in one stage and two in the next are too many."""
    gates = (GateSpec("CDS errors", "count", "refused", 3),)
    evidence = enter_stage(after(Tally(100, 2), gates=gates), "canary-25", "canary")
    assert judged(evidence, gates).verdict is not Verdict.ROLLBACK
    evidence = observe(gates, Rules(), evidence, {"refused": {"candidate": Tally(100, 2)}})
    assert judged(evidence, gates).verdict is Verdict.ROLLBACK


@pytest.mark.req("O5")
def test_no_event_in_too_few_opportunities_is_not_enough() -> None:
    """49 of the 50 that it takes: one is missing; with it the gate passes."""
    few = judged(after(Tally(49, 0)))
    assert few.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert few.gates[0].need == 1
    assert judged(after(Tally(49, 0), Tally(1, 0))).verdict is Verdict.PROMOTE


@pytest.mark.req("INV6")
def test_no_opportunity_at_all_never_passes() -> None:
    """An adapter that was never called has not worked without errors."""
    reading = judged(after())
    assert reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "no data" in reading.sentence


@pytest.mark.req("O5")
def test_more_events_than_promotion_allows_hold() -> None:
    """Between the promote limit and the rollback limit."""
    gates = (GateSpec("CDS errors", "count", "refused", 5, promote_limit=0),)
    reading = judged(after(Tally(1000, 2), gates=gates), gates)
    assert reading.verdict is Verdict.HOLD
    assert not reading.frozen


@pytest.mark.parametrize("limit", [-1, 0.5])
def test_a_limit_that_is_no_number_of_events_is_refused(limit: float) -> None:
    """Events are whole and not negative."""
    with pytest.raises(ValueError, match="number of events"):
        GateSpec("CDS errors", "count", "refused", limit)

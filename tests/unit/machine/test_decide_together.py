"""Checklist, groups and the point of no return in the one function that decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.judge.verdict import StageReading, Verdict
from switchover.machine.action import (
    Abort,
    Ask,
    Enter,
    Expire,
    Nothing,
    RollBack,
    Strand,
    Void,
    Wait,
)
from switchover.machine.decide import Facts, decide
from switchover.machine.state import Approval, Phase, State
from switchover.plan.stages import Stage

STAGES = (
    Stage(0, "start", "start", "legacy_only", work=True),
    Stage(1, "canary-10", "canary", "gradual", split=1000),
    Stage(2, "canary-100", "canary", "gradual", split=10_000, approval=True),
    Stage(3, "complete", "complete", "candidate_only", split=10_000),
)


def reading(verdict: Verdict) -> StageReading:
    """What the judge says."""
    return StageReading(verdict, (), 1.0, 100.0, False, f"it is {verdict.value}")


states = st.builds(
    State,
    migration=st.just("m"),
    phase=st.sampled_from([Phase.RUNNING, Phase.AWAITING_APPROVAL, Phase.HELD, Phase.COMPLETE]),
    stage=st.integers(0, 3),
    approval=st.none()
    | st.builds(
        Approval, st.just("a"), st.just(2), st.just("h"), st.just(0.0), st.floats(0, 20),
        st.sampled_from(["pending", "approved", "expired"]),
    ),
    no_return=st.booleans(),
    stranded=st.integers(-1, 3),
)  # fmt: skip
words = st.sampled_from(["", "something"])
facts = st.builds(
    Facts,
    now=st.just(10.0),
    reading=st.none() | st.sampled_from(Verdict).map(reading),
    blocked=words,
    silence=words,
    checklist=words,
    group=words,
    deserted=words,
    on_desertion=st.sampled_from(["hold", "abort", "rollback"]),
    on_expiry=st.sampled_from(["hold", "abort", "rollback"]),
    automatic_rollback=st.booleans(),
    rollback_on_silence=st.booleans(),
)


@pytest.mark.req("INV5", "P13")
@given(states, facts)
def test_neither_checklist_nor_group_stands_in_the_way_of_a_rollback(
    state: State, known: Facts
) -> None:
    """What rolls back without them does so with any of them; they only ever make a step wait."""
    free = replace(known, checklist="", group="", deserted="")
    before, after = decide(state, STAGES, free), decide(state, STAGES, known)
    if isinstance(before, RollBack | Strand | Void | Expire):
        assert type(after) is type(before) or isinstance(after, Abort | RollBack | Strand)
        assert not isinstance(before, RollBack) or after == before
    if isinstance(before, Wait | Nothing):
        assert not isinstance(after, Enter | Ask)
    if isinstance(after, Enter | Ask):
        assert (known.checklist, known.group, known.deserted) == ("", "", "")


@pytest.mark.req("INV5")
@given(states, facts)
def test_past_the_point_of_no_return_nothing_goes_back_by_itself(
    state: State, known: Facts
) -> None:
    """Neither judge, silence, expiry nor group: what would roll back strands, once in a stage."""
    state = replace(state, no_return=True)
    due = decide(state, STAGES, known)
    assert not isinstance(due, RollBack | Abort)
    before = decide(replace(state, no_return=False, stranded=-1), STAGES,
                    replace(known, automatic_rollback=True))  # fmt: skip
    if isinstance(before, RollBack | Abort):
        assert isinstance(due, Strand) == (state.stranded != state.stage)
        assert not isinstance(due, Enter | Ask)


@pytest.mark.req("INV10")
def test_an_expired_approval_is_no_loop_past_the_point_of_no_return() -> None:
    """The plan's rollback on expiry is not carried out, and not asked for for ever."""
    held = State("m", phase=Phase.HELD, stage=1, no_return=True,
                 approval=Approval("a", 2, "h", 0.0, 5.0, "expired"))  # fmt: skip
    known = Facts(10.0, reading(Verdict.PROMOTE), on_expiry="rollback")
    assert isinstance(decide(held, STAGES, known), Wait)
    assert isinstance(decide(replace(held, no_return=False), STAGES, known), Expire)

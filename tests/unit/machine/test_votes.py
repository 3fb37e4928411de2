"""Votes on an approval, in the machine."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.errors import IllegalTransition
from switchover.machine.apply import apply, begin
from switchover.machine.event import (
    Aborted,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    Held,
    Resumed,
    Started,
)
from switchover.machine.state import Approval, Phase, State

ADA = ApprovalVoted("a-1", "ada", 20.0, "fine", "cli", "code", "e" * 64)


def after(*events: Any) -> State:
    """A migration that asked, after these events."""
    state = begin("demo", Started("p", "s", "string", 0.0, "carl"))
    for event in (ApprovalRequested("a-1", 1, "e" * 64, 10.0, 1000.0), *events):
        state = apply(state, event)
    return state


@pytest.mark.req("P6")
def test_a_vote_is_added_and_decides_nothing() -> None:
    """Phase and routing stay; the request waits on."""
    before, state = after(), after(ADA)
    assert state.phase is Phase.AWAITING_APPROVAL
    assert (state.epoch, state.mode, state.split) == (before.epoch, before.mode, before.split)
    assert state.approval is not None
    assert (state.approval.status, state.approval.voters) == ("pending", ("ada",))


@pytest.mark.req("P6")
def test_the_deciding_vote_is_one_of_the_votes() -> None:
    """Whoever reads the state sees everybody who approved, once."""
    state = after(ADA, ApprovalDecided("a-1", "approved", 30.0, "bo", "go", "slack", "slack"))
    assert state.approval is not None
    assert state.approval.voters == ("ada", "bo")
    assert (state.approval.approver, state.approval.decided_at) == ("bo", 30.0)
    alone = after(ADA, ApprovalDecided("a-1", "approved", 30.0, "ada"))
    assert alone.approval is not None
    assert alone.approval.voters == ("ada",)


@pytest.mark.req("P6")
@pytest.mark.parametrize("status", ["rejected", "void", "expired"])
def test_what_is_no_approval_is_no_vote(status: str) -> None:
    """A rejection is kept apart from those who approved before it."""
    state = after(ADA, ApprovalDecided("a-1", status, 30.0, "bo"))
    assert state.approval is not None
    assert state.approval.voters == ("ada",)


@pytest.mark.req("P6", "INV10")
@pytest.mark.parametrize(
    ("events", "vote"),
    [
        ((ADA,), ADA),
        ((), ApprovalVoted("a-0", "ada", 20.0)),
        ((ApprovalDecided("a-1", "approved", 15.0, "bo"),), ADA),
        ((ApprovalDecided("a-1", "void", 15.0),), ADA),
        ((Aborted(15.0, "carl", "no more"),), ADA),
    ],
    ids=["twice", "another request", "approved", "void", "aborted"],
)
def test_votes_that_can_not_count_are_refused(events: tuple[Any, ...], vote: Any) -> None:
    """By the machine itself, whatever the use case thought."""
    with pytest.raises(IllegalTransition):
        apply(after(*events), vote)


@pytest.mark.req("P6")
def test_votes_outlive_a_hold() -> None:
    """A person's brake does not throw away what others said."""
    held = after(ADA, Held(25.0, "ops", "lunch"), ApprovalVoted("a-1", "bo", 26.0))
    assert held.phase is Phase.HELD
    resumed = apply(held, Resumed(30.0, "ops", "back"))
    assert resumed.phase is Phase.AWAITING_APPROVAL
    assert resumed.approval is not None
    assert resumed.approval.voters == ("ada", "bo")


@pytest.mark.req("INV4")
def test_an_approval_written_before_there_were_votes_is_read() -> None:
    """A ledger outlives the version that wrote it."""
    old = {"id": "a", "stage": 1, "evidence": "e", "requested_at": 1.0, "expires_at": 2.0,
           "status": "approved", "approver": "ada", "reason": ""}  # fmt: skip
    assert Approval.from_dict(old).votes == ()


@pytest.mark.req("INV10")
def test_evidence_ages_from_the_moment_it_was_shown() -> None:
    """Up to the limit it counts."""
    approval = after().approval
    assert approval is not None
    assert approval.aged(10.0 + 3600.0, 3600.0) == ""
    assert "older than 1 h" in approval.aged(10.1 + 3600.0, 3600.0)

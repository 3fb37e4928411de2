"""What people's words do to a state: approvals and sign-offs. Pure."""

from __future__ import annotations

from dataclasses import replace

from switchover.machine.approval_event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    SignedOff,
    SignOffWithdrawn,
)
from switchover.machine.refusal import refuse, require_live
from switchover.machine.state import TERMINAL, Approval, Phase, SignOff, State, Vote


def ask(event: ApprovalRequested, state: State) -> State:
    """People are asked, and no step is taken before they answer."""
    if state.phase is not Phase.RUNNING:
        raise refuse(state, event)
    if event.stage != state.stage + 1:
        raise refuse(state, event, "an approval is for the next stage")
    approval = Approval(event.id, event.stage, event.evidence, event.at, event.expires_at)
    return replace(state, phase=Phase.AWAITING_APPROVAL, approval=approval)


def count_vote(event: ApprovalVoted, state: State) -> State:
    """One more approves; each person counts once."""
    approval = state.approval
    if approval is None or approval.id != event.id or state.phase in TERMINAL:
        raise refuse(state, event, f"there is no open approval {event.id}")
    if approval.status != "pending":
        raise refuse(state, event, f"approval {event.id} is already {approval.status}")
    if event.approver in approval.voters:
        raise refuse(state, event, f"{event.approver} has approved it before")
    return replace(state, approval=replace(approval, votes=(*approval.votes, _vote(event))))


def close_vote(event: ApprovalDecided, state: State) -> State:
    """The request has its answer; held it stays held."""
    approval = state.approval
    if approval is None or approval.id != event.id or state.phase in TERMINAL:
        raise refuse(state, event, f"there is no open approval {event.id}")
    legal = {"pending": {"approved", "rejected", "void", "expired"}, "approved": {"void"}}
    if event.status not in legal.get(approval.status, set()):
        raise refuse(state, event, f"approval {event.id} is already {approval.status}")
    given = event.status == "approved" and event.approver not in approval.voters
    decided = replace(
        approval,
        status=event.status,
        approver=event.approver,
        reason=event.reason,
        decided_at=event.at,
        votes=(*approval.votes, _vote(event)) if given else approval.votes,
    )
    if state.phase is Phase.HELD:
        return replace(state, approval=decided)
    phase = {
        "approved": Phase.AWAITING_APPROVAL,
        "rejected": Phase.HELD,
        "expired": Phase.HELD,
        "void": Phase.RUNNING,
    }[event.status]
    reason = f"approval {event.status}" + (f": {event.reason}" if event.reason else "")
    return replace(state, phase=phase, approval=decided, reason=reason)


def sign_off(event: SignedOff, state: State) -> State:
    """An item of the checklist is done."""
    require_live(state, event)
    if any(each.item == event.item for each in state.sign_offs):
        raise refuse(state, event, f"{event.item} is signed off already")
    signed = SignOff(event.item, event.actor, event.at, event.note)
    return replace(state, sign_offs=(*state.sign_offs, signed))


def withdraw_sign_off(event: SignOffWithdrawn, state: State) -> State:
    """An item of the checklist is open again."""
    require_live(state, event)
    left = tuple(each for each in state.sign_offs if each.item != event.item)
    if left == state.sign_offs:
        raise refuse(state, event, f"{event.item} is not signed off")
    return replace(state, sign_offs=left)


def _vote(event: ApprovalVoted | ApprovalDecided) -> Vote:
    return Vote(event.approver, event.at, event.via, event.identity, event.reason)

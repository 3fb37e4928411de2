"""Approve: one person's decision, from wherever it comes, into the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from switchover.engine.assess import assess
from switchover.engine.context import ATTEMPTS, Case, Context, persist
from switchover.engine.identity import prove
from switchover.engine.outbox import abort_effects, decided_effects, voted_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.roll_back import roll_back
from switchover.errors import LostRace, NotAuthorised, Refused
from switchover.judge.verdict import Verdict
from switchover.machine.event import Aborted, ApprovalDecided, ApprovalVoted
from switchover.machine.state import Approval, Phase
from switchover.plan.approvals import Approvals

Decision = Literal["approve", "reject"]


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one person said, and how they proved to be that person."""

    decision: Decision
    approver: str
    reason: str
    via: str
    identity: str


def decide_approval(
    context: Context,
    migration: str,
    decision: Decision,
    *,
    approver: str,
    reason: str = "",
    via: str,
    approval: str | None = None,
    code: str = "",
    proven: bool = False,
) -> Case:
    """Record the decision on the open approval (or exactly ``approval``).

    ``via`` says where it came from: ``prefect``, ``cli``, ``api`` or ``slack``. A plan with
    ``identity: code`` wants the approver's personal ``code``, unless the caller has ``proven``
    already who it is. An approval that does not complete the quorum leaves the request pending,
    with one vote more; one rejection decides.

    Raises ``NotAuthorised`` for a person the plan does not name or, with four eyes, for the one
    who started, its ``WrongCode`` without the right code; ``Refused`` when nothing is open, it
    has expired, or the evidence no longer allows the step or has grown too old (the request is
    void then). Deciding the same again changes nothing.
    """
    case = context.open(migration)
    _open_approval(case, approval)
    _authorise(case, approver)
    identity = prove(case, approver, via, code=code, proven=proven)
    vote = _Vote(decision, approver, reason, via, identity)
    for _ in range(ATTEMPTS - 1):
        try:
            return _decide(context.open(migration), vote, approval)
        except LostRace:
            # Something else was written meanwhile; whether the decision still stands is
            # looked at from the beginning.
            continue
    return _decide(context.open(migration), vote, approval)


def _decide(case: Case, vote: _Vote, approval: str | None) -> Case:
    pending = _open_approval(case, approval)
    _authorise(case, vote.approver)
    if _said_before(pending, vote):
        return case
    if pending.status != "pending":
        late = vote.decision == "reject" and pending.status == "approved"
        stop = f"; `switchover hold {case.state.migration}` stops the step" if late else ""
        raise Refused(f"approval {pending.id} is already {pending.status}{stop}")
    if case.context.timestamp >= pending.expires_at:
        after = settle(case, "expired", reason="not decided in time", actor=vote.approver)
        raise Refused(f"approval {pending.id} has expired, {_followed(after)}")
    if vote.decision == "reject":
        return _record(case, pending, "rejected", vote)
    _still_true(case, pending, vote)
    if _policy(case).missing([*pending.voters, vote.approver]):
        return _record_vote(case, pending, vote)
    return _record(case, pending, "approved", vote)


def _followed(case: Case) -> str:
    """What the plan made of an expiry, and what can be done now."""
    name, phase = case.state.migration, case.state.phase
    if phase is Phase.HELD:
        return f"so {name} is held; after `switchover resume {name}` people are asked anew"
    return f"so {name} was {phase.value.replace('_', ' ')}, as the plan says"


def _said_before(approval: Approval, vote: _Vote) -> bool:
    if vote.decision == "reject":
        return approval.status == "rejected" and approval.approver == vote.approver
    return approval.status in ("pending", "approved") and vote.approver in approval.voters


def _still_true(case: Case, pending: Approval, vote: _Vote) -> None:
    """Nobody can approve what they were shown when it holds no longer, or was long ago."""
    reading = assess(case)
    if reading is not None and reading.verdict is not Verdict.PROMOTE:
        settle(case, "void", reason=reading.sentence, actor=vote.approver)
        raise Refused(
            f"the evidence has turned since approval {pending.id} was asked for: "
            f"{reading.sentence}; it is void, the next advance asks again"
        )
    aged = pending.aged(case.context.timestamp, _policy(case).evidence_max_age)
    if aged:
        settle(case, "void", reason=aged, actor=vote.approver)
        raise Refused(f"approval {pending.id} is void: {aged}; people are asked anew")


def settle(case: Case, status: Literal["void", "expired"], *, reason: str, actor: str) -> Case:
    """End an approval without a person: its evidence turned or aged, or nobody came.

    What follows an expiry is the plan's choice: hold, roll back or abort. It is done also for
    an approval that expired in a run which ended before it came to that.
    """
    approval = _open_approval(case, None)
    after = case
    if approval.status != status:
        nobody = _Vote("reject", "", reason, "switchover", "")
        after = _record(case, approval, status, nobody, actor=actor)
    # Nothing goes back by itself past the point of no return.
    on_expiry = "hold" if case.state.no_return else _policy(case).on_expiry
    if status == "expired" and on_expiry == "rollback":
        roll_back(case.context, case.state.migration, actor=actor, trigger="approval expired",
                  reason=reason)  # fmt: skip
        return case.context.open(case.state.migration)
    if status == "expired" and on_expiry == "abort":
        return abort(case.context, case.state.migration, actor=actor, reason=reason)
    return after


def abort(context: Context, migration: str, *, actor: str, reason: str) -> Case:
    """End a migration that has not completed; legacy serves everything. Aborting an aborted
    migration changes nothing."""
    case = persist(
        context,
        migration,
        lambda now: (
            None
            if now.state.phase is Phase.ABORTED
            else (
                Aborted(context.timestamp, actor, reason, old_mode=now.state.mode),
                abort_effects(now),
            )
        ),
        actor=actor,
    )
    project(case)
    push(case)
    return case


def _open_approval(case: Case, approval: str | None) -> Approval:
    current = case.state.approval
    if current is None or (approval is not None and current.id != approval):
        what = f"approval {approval}" if approval else "approval"
        raise Refused(f"{case.state.migration} has no open {what}; `switchover why` says what is")
    return current


def _policy(case: Case) -> Approvals:
    """What the plan says about approvals; lint refuses a stage that asks without it."""
    policy = case.plan.approvals
    if policy is None:
        raise NotAuthorised("the plan names nobody who may approve; add an approvals section")
    return policy


def _authorise(case: Case, approver: str) -> None:
    policy = _policy(case)
    if approver not in policy.people:
        named = ", ".join(policy.people)
        raise NotAuthorised(f"{approver!r} may not approve this; the plan names {named}")
    if approver == policy.barred(case.state.started_by):
        raise NotAuthorised(f"{approver!r} started this migration; four eyes ask for another one")


def _record_vote(case: Case, approval: Approval, vote: _Vote) -> Case:
    event = ApprovalVoted(
        id=approval.id,
        approver=vote.approver,
        at=case.context.timestamp,
        reason=vote.reason,
        via=vote.via,
        identity=vote.identity,
        evidence=approval.evidence,
    )
    return case.append(event, actor=vote.approver, effects=voted_effects(case, event))


def _record(case: Case, approval: Approval, status: str, vote: _Vote, *, actor: str = "") -> Case:
    event = ApprovalDecided(
        id=approval.id,
        status=status,
        at=case.context.timestamp,
        approver=vote.approver,
        reason=vote.reason,
        via=vote.via,
        identity=vote.identity,
        evidence=approval.evidence,
    )
    who = vote.approver or actor
    return case.append(event, actor=who, effects=decided_effects(case, event, who))

"""Approve: one person's decision, from wherever it comes, into the ledger."""

from __future__ import annotations

from typing import Literal

from switchover.engine.assess import assess
from switchover.engine.context import ATTEMPTS, Case, Context, persist
from switchover.engine.outbox import decided_effects, end_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.roll_back import roll_back
from switchover.errors import LostRace, NotAuthorised, Refused
from switchover.judge.verdict import Verdict
from switchover.machine.event import Aborted, ApprovalDecided
from switchover.machine.state import Approval, Phase

Decision = Literal["approve", "reject"]


def decide_approval(
    context: Context,
    migration: str,
    decision: Decision,
    *,
    approver: str,
    reason: str = "",
    via: str,
    approval: str | None = None,
) -> Case:
    """Record the decision on the open approval (or exactly ``approval``).

    ``via`` says where it came from: ``prefect``, ``cli``, ``api`` or ``slack``. Raises
    ``NotAuthorised`` for a person the plan does not name or, with four eyes, for the one who
    started; ``Refused`` when nothing is open, it has expired, or the evidence no longer allows
    the step (the request is void then). Deciding the same again changes nothing.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _decide(context.open(migration), decision, approver, reason, via, approval)
        except LostRace:
            # Something else was written meanwhile; whether the decision still stands is
            # looked at from the beginning.
            continue
    return _decide(context.open(migration), decision, approver, reason, via, approval)


def _decide(
    case: Case, decision: Decision, approver: str, reason: str, via: str, approval: str | None
) -> Case:
    pending = _open_approval(case, approval)
    status = "approved" if decision == "approve" else "rejected"
    if pending.status == status and pending.approver == approver:
        return case
    if pending.status != "pending":
        raise Refused(f"approval {pending.id} is already {pending.status}")
    _authorise(case, approver)
    if case.context.timestamp >= pending.expires_at:
        settle(case, "expired", reason="not decided in time", actor=approver)
        raise Refused(f"approval {pending.id} has expired; the next advance asks again")
    if decision == "approve":
        reading = assess(case)
        if reading is not None and reading.verdict is not Verdict.PROMOTE:
            settle(case, "void", reason=reading.sentence, actor=approver)
            raise Refused(
                f"the evidence has turned since approval {pending.id} was asked for: "
                f"{reading.sentence}; it is void, the next advance asks again"
            )
    return _record(case, pending, status, approver, reason, via)


def settle(case: Case, status: Literal["void", "expired"], *, reason: str, actor: str) -> Case:
    """End an approval without a person: its evidence turned, or nobody came.

    What follows an expiry is the plan's choice: hold, roll back or abort. It is done also for
    an approval that expired in a run which ended before it came to that.
    """
    approval = _open_approval(case, None)
    after = case
    if approval.status != status:
        after = _record(case, approval, status, "", reason, "switchover", actor=actor)
    policy = case.plan.approvals
    if status == "expired" and policy and policy.on_expiry == "rollback":
        roll_back(case.context, case.state.migration, actor=actor, trigger="approval expired",
                  reason=reason)  # fmt: skip
        return case.context.open(case.state.migration)
    if status == "expired" and policy and policy.on_expiry == "abort":
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
                end_effects(now, "aborted"),
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


def _authorise(case: Case, approver: str) -> None:
    policy = case.plan.approvals
    if policy is None or approver not in policy.approvers:
        named = ", ".join(policy.approvers) if policy else "nobody"
        raise NotAuthorised(f"{approver!r} may not approve this; the plan names {named}")
    if policy.four_eyes and approver == case.state.started_by:
        raise NotAuthorised(f"{approver!r} started this migration; four eyes ask for another one")


def _record(
    case: Case, approval: Approval, status: str, approver: str, reason: str, via: str,
    *, actor: str = "",
) -> Case:  # fmt: skip
    event = ApprovalDecided(
        id=approval.id,
        status=status,
        at=case.context.timestamp,
        approver=approver,
        reason=reason,
        via=via,
    )
    who = approver or actor
    effects = decided_effects(case, approval.id, status, via, who)
    return case.append(event, actor=who, effects=effects)

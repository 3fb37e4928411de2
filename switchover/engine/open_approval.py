"""The approval at hand, as people are shown it: what is asked, who said what, who may."""

from __future__ import annotations

from typing import Any

from switchover.clock import iso
from switchover.engine.context import Context
from switchover.engine.quorum import missing_votes


def open_approval(context: Context, migration: str) -> dict[str, Any]:
    """The newest request with its evidence, the votes on it and what is still missing; its
    ``approval`` is None where nothing was asked since the last step."""
    case = context.open(migration)
    approval, policy = case.state.approval, case.plan.approvals
    document: dict[str, Any] = {"migration": migration, "approval": None}
    if approval is None:
        return document
    barred = policy.barred(case.state.started_by) if policy else ""
    asked = next(
        (
            entry.payload
            for entry in reversed(context.ledger.entries(migration))
            if entry.kind == "approval_requested" and entry.payload["id"] == approval.id
        ),
        {},
    )
    document["approval"] = {
        "id": approval.id,
        "status": approval.status,
        "stage": case.stages[approval.stage].title,
        "warning": case.stages[approval.stage].warning,
        "evidence": approval.evidence,
        "reading": asked.get("reading", {}),
        "shown": asked.get("shown", {}),
        "requested_at": iso(approval.requested_at),
        "expires_at": iso(approval.expires_at),
        "votes": [
            {"approver": vote.approver, "at": iso(vote.at), "via": vote.via,
             "identity": vote.identity, "reason": vote.reason}
            for vote in approval.votes
        ],
        "approver": approval.approver or None,
        "reason": approval.reason,
        "missing": missing_votes(case),
        "may_approve": [name for name in (policy.people if policy else ()) if name != barred],
    }  # fmt: skip
    return document

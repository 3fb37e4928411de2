"""Tasks of an approval: what is asked, and the decision."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.approve import Decision, decide_approval
from switchover.errors import Refused
from switchover.reporting.markdown import approval_markdown
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def approval_state(migration: str, approval: str) -> dict[str, Any]:
    """Whether the approval is still open, and what its approver has to see."""
    case = engine().open(migration)
    current = case.state.approval
    if current is None or current.id != approval:
        return {"status": "settled", "page": "", "timeout": 0.0}
    reading: dict[str, Any] = next(
        (
            entry.payload["reading"]
            for entry in engine().ledger.entries(migration)
            if entry.kind == "approval_requested" and entry.payload["id"] == approval
        ),
        {},
    )
    stage = case.stages[current.stage]
    approvers = case.plan.approvals.approvers if case.plan.approvals else []
    return {
        "status": current.status,
        "page": approval_markdown(case.plan.title, stage.title, approvers, current, reading),
        "timeout": max(60.0, current.expires_at - engine().timestamp),
    }


@task(**PATIENT)
def decide(
    migration: str, approval: str, decision: Decision, approver: str, reason: str
) -> tuple[str, str]:
    """Write the decision into the ledger; gives the approval's new status and why it was
    refused, which is empty when it was not."""
    try:
        case = decide_approval(
            engine(), migration, decision, approver=approver, reason=reason, via="prefect",
            approval=approval,
        )  # fmt: skip
    except Refused as error:
        # An answer like any other: the form is shown again with it.
        get_run_logger().warning("not accepted: %s", error)
        return "", str(error)
    return case.state.approval.status if case.state.approval else "settled", ""

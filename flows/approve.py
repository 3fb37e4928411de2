"""Ask a person: the run suspends with a typed form and goes on when somebody resumes it (P6).

The paused run is a door, never the authority. A resumed run begins again from the top, so the
ledger is asked first: a decision that came by another way ends the run cleanly.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Literal

from prefect import State, flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from flows.conclude import conclude
from flows.judged_step import judged_step
from tasks.approval import approval_state, decide
from tasks.step import what_is_due


class ApprovalForm(RunInput):
    """What an approver fills in."""

    decision: Literal["approve", "reject"] = Field(description="Your decision.")
    approver: str = Field(min_length=3, description="Your name, as the plan lists approvers.")
    reason: str = Field(default="", description="Why; it goes into the record.")


@flow(name="approve", flow_run_name="approval of {migration}", retries=0)
def approve(migration: str, approval: str) -> State[dict[str, Any]]:
    """Wait for a person's decision and take the step when it is given.

    Args:
        migration: The migration's short name, as in its plan.
        approval: The approval's id, as `switchover status` shows it.
    """
    asked = approval_state(migration, approval)
    if asked["status"] != "pending":
        sentence = f"approval {approval} is {asked['status']}"
        return conclude(migration, {"action": "approve", "did": False, "sentence": sentence})
    status, approver = _decision(migration, approval, asked)
    if status != "approved":
        sentence = f"approval {approval} is {status}"
        return conclude(migration, {"action": "approve", "did": True, "sentence": sentence})
    stage, _, _ = what_is_due(migration)
    return judged_step(migration, stage, approver)


def _decision(migration: str, approval: str, asked: dict[str, Any]) -> tuple[str, str]:
    """Ask until somebody gives a decision that counts, or the approval is settled elsewhere.

    Each question has a key of its own: a resumed run walks through the earlier answers again
    and suspends at the first one that is missing.
    """
    refusal = ""
    for attempt in count(1):
        form = suspend_flow_run(
            wait_for_input=ApprovalForm.with_initial_data(description=refusal + asked["page"]),
            key=f"{approval}-{attempt}",
            timeout=int(asked["timeout"]),
        )
        status, refused = decide(migration, approval, form.decision, form.approver, form.reason)
        if not refused:
            return status, form.approver
        refusal = f"**Not accepted:** {refused}\n\n"
        asked = approval_state(migration, approval)
        if asked["status"] != "pending":
            return str(asked["status"]), form.approver
    raise AssertionError("count never ends")

"""Ask people: the run suspends with a typed form and goes on when somebody resumes it (P6).

The paused run is a door, never the authority. A resumed run begins again from the top, so the
ledger is asked first: a decision that came by another way ends the run cleanly.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Literal

from prefect import State, flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field, SecretStr

from flows.conclude import conclude
from flows.judged_step import judged_step
from flows.runner import task_runner
from tasks.approval import approval_state, decide, put_away, reply_to
from tasks.step import what_is_due


class ApprovalForm(RunInput):
    """What an approver fills in."""

    decision: Literal["approve", "reject"] = Field(description="Your decision.")
    approver: str = Field(
        min_length=1, max_length=200, description="Your name, as the plan lists approvers."
    )
    reason: str = Field(default="", max_length=2000, description="Why; it goes into the record.")

    @property
    def proof(self) -> SecretStr:
        """The code that proves who it is; empty where none is asked for."""
        return SecretStr("")


class PersonalApprovalForm(ApprovalForm):
    """The same where the plan wants approvers to prove who they are."""

    code: SecretStr = Field(
        default=SecretStr(""),
        max_length=200,
        description="Your personal approval code. It is deleted here once it was read.",
    )

    @property
    def proof(self) -> SecretStr:
        """The code that was typed in."""
        return self.code


@flow(name="approve", flow_run_name="approval of {migration}", retries=0, task_runner=task_runner())
def approve(migration: str, approval: str) -> State[dict[str, Any]]:
    """Wait for people's decision and take the step when it is given.

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
    """Ask until the approval is settled, by those who answer here or elsewhere; gives how, and
    by whom.

    Each question has a key of its own. A resumed run passes over those that have a reply, and
    suspends at the first that has none: an answer is read once and put away, as it may hold a
    code.
    """
    reply = ""
    # Without a field that is not needed the evidence above the form has more room.
    kind = PersonalApprovalForm if asked["asks_code"] else ApprovalForm
    for attempt in count(1):
        key = f"{approval}-{attempt}"
        earlier = reply_to(key)
        if earlier is not None:
            put_away(key, earlier)  # the run may have been killed between the two parts of it
            reply = earlier
            continue
        form = suspend_flow_run(
            wait_for_input=kind.with_initial_data(description=reply + asked["page"]),
            key=key,
            timeout=int(asked["timeout"]),
        )
        status, approver, reply = decide(
            migration, approval, form.decision, form.approver, form.reason, form.proof
        )
        put_away(key, reply)
        if status != "pending":
            return status, approver
        asked = approval_state(migration, approval)
        if asked["status"] != "pending":
            return str(asked["status"]), str(asked["approver"])
    raise AssertionError("count never ends")

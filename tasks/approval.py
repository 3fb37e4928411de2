"""Tasks of an approval: what is asked, the decision, and the answers that Prefect keeps."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.input import (
    create_flow_run_input,
    delete_flow_run_input,
    keyset_from_base_key,
    read_flow_run_input,
)
from prefect.logging import get_run_logger
from pydantic import SecretStr

from switchover.engine.approve import Decision, decide_approval
from switchover.engine.open_approval import open_approval
from switchover.errors import Refused
from switchover.reporting.approval import approval_markdown, recorded_markdown, refusal_markdown
from tasks.engine import PATIENT, engine

#: Of tasks that call Prefect: a moment without its server is waited out.
_AGAIN: dict[str, Any] = {
    "retries": 5, "retry_delay_seconds": 1, "persist_result": False, "cache_policy": NO_CACHE,
}  # fmt: skip


@task(**PATIENT)
def approval_state(migration: str, approval: str) -> dict[str, Any]:
    """Whether the approval is still open, and what its approvers have to see."""
    case = engine().open(migration)
    current = case.state.approval
    if current is None or current.id != approval:
        return {"status": "settled", "approver": "", "page": "", "timeout": 0.0}
    asked = open_approval(engine(), migration)["approval"] or {}
    page = approval_markdown(
        case.plan.title,
        case.stages[current.stage].title,
        case.plan.approvals,
        current,
        asked.get("reading", {}),
        starter=case.state.started_by,
        warning=case.stages[current.stage].warning,
    )
    return {
        "status": current.status,
        "approver": current.approver,
        "page": page,
        "asks_code": case.plan.approvals is not None and case.plan.approvals.identity == "code",
        "timeout": max(60.0, current.expires_at - engine().timestamp),
    }


@task(cache_policy=NO_CACHE, **PATIENT)
def decide(
    migration: str,
    approval: str,
    decision: Decision,
    approver: str,
    reason: str,
    code: SecretStr,
) -> tuple[str, str, str]:
    """Write the decision into the ledger; gives the approval's status afterwards, who decided as
    the ledger has it, and what the form says when it is shown again."""
    try:
        case = decide_approval(
            engine(), migration, decision, approver=approver, reason=reason, via="prefect",
            approval=approval, code=code.get_secret_value(),
        )  # fmt: skip
    except Refused as error:
        # An answer like any other: the form is shown again with it.
        get_run_logger().warning("not accepted: %s", error)
        now = engine().open(migration).state.approval
        if now is None or now.id != approval:
            return "settled", "", refusal_markdown(error)
        # Somebody else may have decided meanwhile: never the name that was refused.
        return now.status, now.approver, refusal_markdown(error)
    now = case.state.approval
    if now is None:
        return "settled", "", ""
    return now.status, now.approver, recorded_markdown(now)


@task(**_AGAIN)
def reply_to(key: str) -> str | None:
    """What was replied to the answer of this question; None while there is none."""
    reply: Any = read_flow_run_input(_reply(key))
    return None if reply is None else str(reply)


@task(**_AGAIN)
def put_away(key: str, reply: str) -> None:
    """Note the reply, then delete the answer: it may hold a code."""
    if read_flow_run_input(_reply(key)) is None:
        create_flow_run_input(_reply(key), reply)
    answer = keyset_from_base_key(f"suspended-{key}")["response"]
    if read_flow_run_input(answer) is not None:
        delete_flow_run_input(answer)


def _reply(key: str) -> str:
    return f"{key}-reply"

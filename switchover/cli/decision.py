"""Record a decision on an approval; shared by `approve` and `reject`."""

from __future__ import annotations

import os
import sys
from getpass import getpass

from switchover.cli.session import actor_or_login, print_json, say
from switchover.engine.approve import Decision
from switchover.engine.context import Case
from switchover.engine.drain import drain
from switchover.engine.fresh_decision import decide_freshly
from switchover.engine.quorum import missing_votes
from switchover.errors import NotAuthorised
from switchover.wiring import build_context, load_settings

#: Holds a personal approval code. There is no option for it: what is typed on a command line
#: stays in the shell's history, and every user of the machine can list it while it runs.
CODE = "SWITCHOVER_APPROVAL_CODE"


def record(
    migration: str, decision: Decision, approval: str, reason: str, actor: str, json: bool
) -> None:
    """Decide, then let the waiting flow run end and the approved step begin."""
    settings = load_settings()
    context = build_context(settings)
    approver = actor_or_login(actor, settings)
    case = decide_freshly(
        context,
        migration,
        decision,
        approver=approver,
        reason=reason,
        via="cli",
        approval=approval or None,
        code=_code(context.open(migration), approver),
    )
    drained = drain(context)
    decided = case.state.approval
    if decided is None:
        raise AssertionError("a decided approval stays in the state until the step")
    missing = missing_votes(case)
    if json:
        print_json(
            {"migration": migration, "approval": decided.id, "status": decided.status,
             "approver": decided.approver, "votes": list(decided.voters), "missing": missing,
             "later": list(drained.failed)}
        )  # fmt: skip
        return
    if missing:
        given = ", ".join(decided.voters)
        say(f"{decided.id} has the approval of {given}; still missing: {'; '.join(missing)}.")
    else:
        say(f"{decided.id} is {decided.status} by {decided.approver}.")
    for failure in drained.failed:
        say(f"tried again later: {failure}")


def approval_code(case: Case, approver: str) -> str:
    """The person's code where the plan wants one: from the environment, else typed unseen."""
    policy = case.plan.approvals
    if policy is None or policy.identity != "code":
        return ""
    if code := os.environ.get(CODE, ""):
        return code
    if not sys.stdin.isatty():
        raise NotAuthorised(
            f"this plan wants the approval code of {approver!r}; run this on a terminal, which "
            f"asks for it, or set {CODE} without writing it into the command"
        )
    return getpass(f"Approval code of {approver}: ")


def _code(case: Case, approver: str) -> str:
    """Nobody is asked for a code where nothing waits for a decision, or not for theirs."""
    policy = case.plan.approvals
    wanted = case.state.approval is not None and policy is not None and approver in policy.people
    return approval_code(case, approver) if wanted else ""

"""Record a decision on an approval; shared by `approve` and `reject`."""

from __future__ import annotations

from switchover.cli.session import actor_or_login, print_json, say
from switchover.engine.approve import Decision, decide_approval
from switchover.engine.collect import collect
from switchover.engine.drain import drain
from switchover.engine.reconcile import reconcile
from switchover.wiring import build_context, load_settings


def record(
    migration: str, decision: Decision, approval: str, reason: str, actor: str, json: bool
) -> None:
    """Decide, then let the waiting flow run end and the approved step begin."""
    settings = load_settings()
    context = build_context(settings)
    reconcile(context, migration)
    collect(context, migration, elsewhere=False)
    case = decide_approval(
        context,
        migration,
        decision,
        approver=actor_or_login(actor, settings),
        reason=reason,
        via="cli",
        approval=approval or None,
    )
    drained = drain(context)
    decided = case.state.approval
    if decided is None:
        raise AssertionError("a decided approval stays in the state until the step")
    if json:
        print_json(
            {"migration": migration, "approval": decided.id, "status": decided.status,
             "approver": decided.approver, "later": list(drained.failed)}
        )  # fmt: skip
        return
    say(f"{decided.id} is {decided.status} by {decided.approver}.")
    for failure in drained.failed:
        say(f"tried again later: {failure}")

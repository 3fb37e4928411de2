"""A decision on the evidence of this moment, for ways in that no flow run looks after."""

from __future__ import annotations

from switchover.engine.approve import Decision, decide_approval
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context
from switchover.engine.reconcile import reconcile


def decide_freshly(
    context: Context,
    migration: str,
    decision: Decision,
    *,
    approver: str,
    reason: str,
    via: str,
    approval: str | None,
    code: str = "",
    proven: bool = False,
) -> Case:
    """Mend what a crash left, collect what came in meanwhile, and decide; see
    :func:`switchover.engine.approve.decide_approval`. A rejection asks for no evidence, so it
    stops a step with Redis down, too."""
    if decision == "approve":
        reconcile(context, migration)
        collect(context, migration, elsewhere=False)
    return decide_approval(
        context, migration, decision, approver=approver, reason=reason, via=via,
        approval=approval, code=code, proven=proven,
    )  # fmt: skip

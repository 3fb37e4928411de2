"""What the request at hand still lacks, counted alike wherever people read it."""

from __future__ import annotations

from switchover.engine.context import Case


def missing_votes(case: Case, *more: str) -> list[str]:
    """What the pending request lacks after its votes and those of ``more``, in words; empty for
    one that is settled. Whoever may not approve, as they started, is not offered."""
    policy, approval = case.plan.approvals, case.state.approval
    if policy is None or approval is None or approval.status != "pending":
        return []
    return list(policy.missing([*approval.voters, *more], policy.barred(case.state.started_by)))

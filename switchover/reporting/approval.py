"""The page an approver reads before deciding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.machine.state import Approval
from switchover.plan.approvals import Approvals
from switchover.reporting import figures
from switchover.reporting.markdown import literal, markdown_table, verdict_markdown

#: How an approver proved who they are, in words.
PROOFS = {
    "code": "approval code",
    "trusted": "name, taken as given",
    "api": "approval code (API)",
    "slack": "Slack user",
}


def approval_markdown(
    title: str,
    stage: str,
    policy: Approvals | None,
    approval: Approval,
    reading: Mapping[str, Any],
    *,
    starter: str = "",
    warning: str = "",
) -> str:
    """The page; ``stage`` is the title of the one to begin, ``starter`` who started, and
    ``warning`` what has to be known of the way back."""
    lines = [
        f"# Approve {literal(stage)}?",
        f"**{literal(title)}** asks to begin *{literal(stage)}*.",
        *([f"> **{literal(warning)}**"] if warning else []),
        f"- {_who(policy, approval, starter)}\n"
        f"- Asked: {figures.moment(approval.requested_at)} UTC, open until "
        f"{figures.moment(approval.expires_at)} UTC\n"
        f"- Request `{approval.id}`, bound to evidence `{approval.evidence[:12]}`: when a "
        f"gate turns, this request is void{_age(policy)}",
        *_votes(approval),
        "## The evidence",
        verdict_markdown(reading) if reading else "No gates judged the stage before.",
    ]
    return "\n\n".join(lines) + "\n"


def refusal_markdown(error: Exception) -> str:
    """What stands above the page when an answer was refused. The message repeats what somebody
    typed who need not be an approver, and the next one reads it beside the field for the code."""
    return f"**Not accepted:** {literal(str(error))}\n\n"


def recorded_markdown(approval: Approval) -> str:
    """What stands above the page for the next approver."""
    return f"**The approval of {literal(', '.join(approval.voters))} is recorded.**\n\n"


def _who(policy: Approvals | None, approval: Approval, starter: str) -> str:
    if policy is None:
        return "Approvers: nobody is named"
    barred = policy.barred(starter)
    names = [
        f"{name} ({', '.join(roles)})" if (roles := policy.roles_of(name)) else name
        for name in policy.people
        if name != barred
    ]
    eyes = f"; not {barred}, who started" if barred else ""
    missing = "; ".join(policy.missing(approval.voters, barred)) or "nothing"
    who = literal(", ".join(names) + eyes)
    return f"Approvers: {who}\n- Still missing: {literal(missing)}"


def _age(policy: Approvals | None) -> str:
    if policy is None:
        return ""
    return f", and {policy.evidence_max_age / 3600:g} h after it was asked"


def _votes(approval: Approval) -> list[str]:
    if not approval.votes:
        return []
    body = [
        [literal(vote.approver), figures.moment(vote.at), PROOFS.get(vote.identity, vote.identity),
         literal(vote.reason)]
        for vote in approval.votes
    ]  # fmt: skip
    table = markdown_table(["Approved by", "At (UTC)", "Known by", "Reason"], "llll", body)
    return [table]

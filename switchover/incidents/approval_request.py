"""A request for approval as the ledger tells it: what was asked, who said what, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from switchover.errors import InputError
from switchover.ports import Entry

_ENDS = frozenset({"rolled_back", "aborted"})


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """``status`` is ``pending``, ``approved``, ``rejected``, ``void``, ``expired``, or ``ended``
    for one that the migration's end made needless."""

    id: str
    stage: int
    expires_at: float
    reading: dict[str, Any]
    voters: tuple[str, ...] = ()
    status: str = "pending"
    approver: str = ""
    reason: str = ""
    via: str = ""
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """How it ended, for people; empty while it is pending."""
        why = f": {self.reason}" if self.reason else ""
        voters = ", ".join(dict.fromkeys([*self.voters, self.approver]))
        return {
            "pending": "",
            "approved": f"Approved by {voters} ({self.via}){why}",
            "rejected": f"Rejected by {self.approver} ({self.via}){why}",
            "void": f"Void{why}. People are asked anew when the evidence allows the step.",
            "expired": f"Expired{why}.",
            "ended": "Nothing is left to decide: the migration was rolled back or ended.",
        }[self.status]


def approval_request(entries: Iterable[Entry], approval: str) -> ApprovalRequest:
    """The request with this id; ``InputError`` when the ledger has none."""
    found: ApprovalRequest | None = None
    for entry in entries:
        event = entry.payload
        if entry.kind == "approval_requested" and event["id"] == approval:
            found = ApprovalRequest(
                approval, event["stage"], event["expires_at"], event["reading"],
                shown=event.get("shown", {}),
            )  # fmt: skip
        elif found is None or found.status != "pending":
            continue
        elif entry.kind in _ENDS:
            found = replace(found, status="ended")
        elif event.get("id") != approval:
            continue
        elif entry.kind == "approval_voted":
            found = replace(found, voters=(*found.voters, event["approver"]))
        elif entry.kind == "approval_decided":
            found = replace(
                found, status=event["status"], approver=event["approver"],
                reason=event["reason"], via=event["via"],
            )  # fmt: skip
    if found is None:
        raise InputError(f"the ledger has no request for approval {approval!r}")
    return found

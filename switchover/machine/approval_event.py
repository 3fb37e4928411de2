"""What people are asked before a step, and what they answer: events of approvals and sign-offs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from switchover.machine.event_base import Event


@dataclass(frozen=True, slots=True)
class ApprovalRequested(Event):
    """A person is asked before ``stage`` begins; ``evidence`` is the hash of ``shown``, all that
    people are asked about, and ``reading``, the judge's numbers."""

    kind: ClassVar[str] = "approval_requested"
    id: str
    stage: int
    evidence: str
    at: float
    expires_at: float
    reading: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApprovalVoted(Event):
    """``approver`` approves, and the plan wants more people to; ``identity`` says how they proved
    who they are, ``evidence`` is the hash of what they were shown."""

    kind: ClassVar[str] = "approval_voted"
    id: str
    approver: str
    at: float
    reason: str = ""
    via: str = ""
    identity: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalDecided(Event):
    """``status`` is ``approved``, with the vote of ``approver`` that completed the quorum,
    ``rejected``, ``void`` or ``expired``."""

    kind: ClassVar[str] = "approval_decided"
    id: str
    status: str
    at: float
    approver: str = ""
    reason: str = ""
    via: str = ""
    identity: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class SignedOff(Event):
    """A person gave their word that an item of the checklist is done."""

    kind: ClassVar[str] = "signed_off"
    at: float
    actor: str
    item: str
    note: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class SignOffWithdrawn(Event):
    """The item is open again."""

    kind: ClassVar[str] = "sign_off_withdrawn"
    at: float
    actor: str
    item: str
    reason: str = ""
    via: str = ""

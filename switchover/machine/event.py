"""What can happen to a migration. Each ledger entry holds one event."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``kind`` names the class in the ledger."""

    kind: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON, without the kind."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A plan was accepted, or accepted again for another attempt; legacy serves everything."""

    kind: ClassVar[str] = "started"
    plan: str
    salt: str
    key: str
    at: float
    actor: str
    halt: str = ""
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True, slots=True)
class StageEntered(Event):
    """The next stage began; ``evidence`` holds the numbers that allowed it, ``comparison`` how
    both systems did in the stage that ended. ``compensation`` is what a rollback from now on
    leaves to people; ``reversibility`` is as in the plan. ``actor`` is who took the step."""

    kind: ClassVar[str] = "stage_entered"
    stage: int
    title: str
    mode: str
    split: int
    shadow: int
    at: float
    not_before: float
    evidence: dict[str, Any] = field(default_factory=dict)
    old_mode: str = ""
    reason: str = ""
    comparison: dict[str, Any] = field(default_factory=dict)
    reversibility: str = "reversible"
    compensation: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class WorkRecorded(Event):
    """The work of a ``checks`` or ``adapters`` stage was done, well or not."""

    kind: ClassVar[str] = "work_recorded"
    stage: int
    ok: bool
    at: float
    summary: str
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DataChecked(Event):
    """The data-integrity suites ran between two steps."""

    kind: ClassVar[str] = "data_checked"
    stage: int
    ok: bool
    at: float
    summary: str
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged(Event):
    """The verdict of the present stage changed."""

    kind: ClassVar[str] = "judged"
    stage: int
    verdict: str
    at: float
    sentence: str
    reading: dict[str, Any] = field(default_factory=dict)


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
class Held(Event):
    """No step forward until somebody resumes."""

    kind: ClassVar[str] = "held"
    at: float
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """Steps are allowed again."""

    kind: ClassVar[str] = "resumed"
    at: float
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class RolledBack(Event):
    """All traffic went back to legacy; ``halt`` is the id that routing was stopped with."""

    kind: ClassVar[str] = "rolled_back"
    at: float
    actor: str
    trigger: str
    reason: str
    halt: str
    incident: str
    flags: list[str] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)
    old_mode: str = ""
    comparison: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RollbackMeasured(Event):
    """How long the rollback took, from the trigger to the last live router's acknowledgement.
    ``reached`` says that all live routers took it, and that there were any: it was tried out."""

    kind: ClassVar[str] = "rollback_measured"
    incident: str
    at: float
    seconds: float
    routers: int
    complete: bool
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Stranded(Event):
    """The candidate failed past the point of no return: nothing moves, and people are paged."""

    kind: ClassVar[str] = "stranded"
    at: float
    actor: str
    trigger: str
    reason: str
    incident: str
    reading: dict[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Aborted(Event):
    """The migration ended before it was complete, by decision and not by a failure."""

    kind: ClassVar[str] = "aborted"
    at: float
    actor: str
    reason: str
    old_mode: str = ""


@dataclass(frozen=True, slots=True)
class FlagsChanged(Event):
    """Feature flags got new definitions; a flag whose definition is null is gone."""

    kind: ClassVar[str] = "flags_changed"
    at: float
    actor: str
    reason: str
    flags: dict[str, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class ItemsCompared(Event):
    """What legacy and candidate disagree on changed, or ``repairs`` are about to be made.

    ``digest`` tells two findings apart and is empty when nothing disagrees; ``counts`` has the
    disagreements by the states of both sides.
    """

    kind: ClassVar[str] = "items_compared"
    at: float
    disagreements: int
    digest: str
    summary: str
    counts: dict[str, int] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ItemsRepaired(Event):
    """How the repairs of the entry ``order`` ended; ``left`` names those not made, and why."""

    kind: ClassVar[str] = "items_repaired"
    order: int
    at: float
    repaired: int
    disagreements: int
    summary: str
    left: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertRaised(Event):
    """A metric has passed its target's alert threshold; ``reading`` holds the numbers."""

    kind: ClassVar[str] = "alert_raised"
    target: str
    system: str
    at: float
    text: str
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertCleared(Event):
    """The metric is back within the threshold, or its system serves no longer."""

    kind: ClassVar[str] = "alert_cleared"
    target: str
    system: str
    at: float
    text: str
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something worth recording that changes nothing, such as an alert that evidence is missing."""

    kind: ClassVar[str] = "noted"
    at: float
    topic: str
    text: str


#: Every kind of event by its name in the ledger.
KINDS: dict[str, type[Event]] = {
    event.kind: event
    for event in (
        Started, StageEntered, WorkRecorded, DataChecked, Judged, ApprovalRequested,
        ApprovalVoted, ApprovalDecided, Held, Resumed, RolledBack, RollbackMeasured, Aborted,
        FlagsChanged, ItemsCompared, ItemsRepaired, AlertRaised, AlertCleared, Noted,
        Stranded, SignedOff, SignOffWithdrawn,
    )
}  # fmt: skip


def event_from_dict(kind: str, document: dict[str, Any]) -> Event:
    """Read one event of the ledger; unknown fields are ignored (a newer writer may add some).

    Raises ``ValueError`` for an unknown kind or missing fields.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown event kind {kind!r}; written by a newer version?")
    event = KINDS[kind]
    known = {f.name for f in fields(event)}
    try:
        return event(**{k: v for k, v in document.items() if k in known})
    except TypeError as error:
        raise ValueError(f"event {kind!r} is incomplete: {error}") from error

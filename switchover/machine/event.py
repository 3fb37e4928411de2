"""What can happen to a migration. Each ledger entry holds one event."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from switchover.machine.approval_event import ApprovalDecided as ApprovalDecided
from switchover.machine.approval_event import ApprovalRequested as ApprovalRequested
from switchover.machine.approval_event import ApprovalVoted as ApprovalVoted
from switchover.machine.approval_event import SignedOff as SignedOff
from switchover.machine.approval_event import SignOffWithdrawn as SignOffWithdrawn
from switchover.machine.drill_event import DrillBegun as DrillBegun
from switchover.machine.drill_event import Drilled as Drilled
from switchover.machine.event_base import Event as Event
from switchover.machine.incident_event import CriterionTicked as CriterionTicked
from switchover.machine.incident_event import CriterionUnticked as CriterionUnticked
from switchover.machine.incident_event import IncidentAcknowledged as IncidentAcknowledged
from switchover.machine.incident_event import IncidentClosed as IncidentClosed
from switchover.machine.incident_event import IncidentUpdated as IncidentUpdated
from switchover.machine.items_event import ItemsCompared as ItemsCompared
from switchover.machine.items_event import ItemsRepaired as ItemsRepaired
from switchover.machine.rollback_event import ComponentRolledBack as ComponentRolledBack
from switchover.machine.rollback_event import RollbackEscalated as RollbackEscalated
from switchover.machine.rollback_event import RollbackFrozen as RollbackFrozen
from switchover.machine.rollback_event import RollbackMeasured as RollbackMeasured
from switchover.machine.rollback_event import RollbackStepBegun as RollbackStepBegun
from switchover.machine.rollback_event import RollbackStepDone as RollbackStepDone
from switchover.machine.rollback_event import RolledBack as RolledBack
from switchover.machine.rollback_event import Stranded as Stranded
from switchover.machine.wave_event import WaveValidated as WaveValidated


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
        Stranded, SignedOff, SignOffWithdrawn, ComponentRolledBack, RollbackStepBegun,
        RollbackStepDone, RollbackEscalated, RollbackFrozen, IncidentAcknowledged,
        IncidentUpdated, CriterionTicked, CriterionUnticked, IncidentClosed, WaveValidated,
        DrillBegun, Drilled,
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

"""What people do about an incident: events that move no traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from switchover.machine.event_base import Event


@dataclass(frozen=True, slots=True)
class IncidentAcknowledged(Event):
    """Somebody has seen the incident and looks after it."""

    kind: ClassVar[str] = "incident_acknowledged"
    incident: str
    at: float
    actor: str
    via: str = ""


@dataclass(frozen=True, slots=True)
class IncidentUpdated(Event):
    """What people found out; an empty field leaves what was written before. ``actions`` are all
    of them, each with text, owner and due date. ``mitigated`` is a person's word, with its
    reason, that the harm has ended where nothing could measure it."""

    kind: ClassVar[str] = "incident_updated"
    incident: str
    at: float
    actor: str
    summary: str = ""
    root_cause: str = ""
    impact: str = ""
    actions: list[dict[str, str]] = field(default_factory=list)
    prevention: str = ""
    mitigated: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class CriterionTicked(Event):
    """A criterion for the next attempt is met; ``note`` says what that rests on."""

    kind: ClassVar[str] = "criterion_ticked"
    incident: str
    criterion: str
    at: float
    actor: str
    note: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class CriterionUnticked(Event):
    """The criterion is open again."""

    kind: ClassVar[str] = "criterion_unticked"
    incident: str
    criterion: str
    at: float
    actor: str
    reason: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class IncidentClosed(Event):
    """A person has read the analysis and leaves it at that."""

    kind: ClassVar[str] = "incident_closed"
    incident: str
    at: float
    actor: str
    note: str = ""
    via: str = ""

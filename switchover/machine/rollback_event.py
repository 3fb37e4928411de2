"""A rollback: how traffic turned, and what its levels and steps did beyond that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from switchover.machine.event_base import Event


@dataclass(frozen=True, slots=True)
class RolledBack(Event):
    """All traffic went back to legacy; ``halt`` is the id that routing was stopped with.
    ``criteria`` (id and text) are what another attempt is refused without, ``waves`` those of
    the validation."""

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
    criteria: list[dict[str, str]] | None = None
    waves: list[str] = field(default_factory=list)


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
    criteria: list[dict[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class ComponentRolledBack(Event):
    """The ``flags`` of one component went off, and the migration is held; who serves stays."""

    kind: ClassVar[str] = "component_rolled_back"
    at: float
    actor: str
    trigger: str
    reason: str
    incident: str
    component: str
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RollbackStepBegun(Event):
    """A step of a rollback began. Who runs it has said how it ended by ``until``, or has died;
    ``run`` tells this one from others of the same step. ``reverse`` is its way back."""

    kind: ClassVar[str] = "rollback_step_begun"
    incident: str
    level: str
    step: str
    run: str
    at: float
    until: float
    actor: str = ""
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class RollbackStepDone(Event):
    """A step of a rollback ended: ``done``, ``failed``, ``unknown`` when whoever ran it died, or
    ``settled`` by a person. ``results`` are those of its action and its probes."""

    kind: ClassVar[str] = "rollback_step_done"
    incident: str
    level: str
    step: str
    run: str
    at: float
    outcome: str
    summary: str
    seconds: float = 0.0
    actor: str = ""
    reverse: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RollbackEscalated(Event):
    """A rollback goes on at the next ``level``: as ``step`` failed, or a person asked for it."""

    kind: ClassVar[str] = "rollback_escalated"
    incident: str
    level: str
    at: float
    actor: str
    reason: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class RollbackFrozen(Event):
    """No further step of a rollback is taken until a person repeats or settles ``step``."""

    kind: ClassVar[str] = "rollback_frozen"
    incident: str
    level: str
    step: str
    at: float
    reason: str

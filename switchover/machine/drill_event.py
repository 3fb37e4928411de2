"""Rehearsals of the way back: events that leave who serves as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from switchover.machine.event_base import Event


@dataclass(frozen=True, slots=True)
class DrillBegun(Event):
    """A rehearsal began. The routing document gets a new epoch, by which the live routers show
    that they follow; a ``real`` one sends everything to legacy for its time. ``until`` is when it
    counts as cut off."""

    kind: ClassVar[str] = "drill_begun"
    at: float
    actor: str
    drill: str
    until: float
    real: bool = False


@dataclass(frozen=True, slots=True)
class Drilled(Event):
    """A rehearsal ended, and everything is as before. In seconds: ``detection`` from the first bad
    answer to the verdict, ``decision`` to the halt in routing, ``propagation`` to the last live
    router, ``validation`` to the last probe; null for what it did not get to. ``routers`` counts
    those that turned, ``own`` how many of them are the migration's."""

    kind: ClassVar[str] = "drilled"
    at: float
    actor: str
    ok: bool
    drill: str
    reason: str
    real: bool = False
    detection: float | None = None
    decision: float | None = None
    propagation: float | None = None
    validation: float | None = None
    routers: int = 0
    own: int = 0

"""What was found about work items, and what was mended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from switchover.machine.event_base import Event


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

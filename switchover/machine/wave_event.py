"""What a wave of the validation after a rollback found: an event that moves no traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from switchover.machine.event_base import Event


@dataclass(frozen=True, slots=True)
class WaveValidated(Event):
    """Every probe of ``wave`` passed, or some did not until its deadline; ``results`` holds each
    probe's last answer with its evidence. One that failed may pass later, when a person repeats
    it, and then is on record again."""

    kind: ClassVar[str] = "wave_validated"
    incident: str
    wave: str
    ok: bool
    at: float
    summary: str = ""
    actor: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)

"""What became of an event, and what its sender is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from switchover.routing.claim_state import ItemState

Status = Literal["served", "duplicate", "in_progress", "ignored"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one delivery of an event.

    ``served``: handled now, by ``system``. ``duplicate``: handled before; ``result`` is the
    one recorded then, or None where only its digest was ``kept``. ``in_progress``: another
    owner is at it; deliver again after ``retry_after`` seconds. ``ignored``: not accepted.
    ``reason`` is that of the routing decision, or ``incident`` or ``breaker_open`` where the
    candidate was not called, or says why the event was ignored. ``fallback`` is True when
    the candidate failed on this event and legacy served it.
    """

    status: Status
    item: str = ""
    system: str = ""
    result: Any = None
    reason: str = ""
    epoch: int = 0
    fallback: bool = False
    kept: bool = True
    retry_after: float = 0.0

    @property
    def http_status(self) -> int:
        """200 when there is an answer, 202 when ignored, 503 when the sender has to come again."""
        return {"served": 200, "duplicate": 200, "in_progress": 503, "ignored": 202}[self.status]


def recorded(state: ItemState) -> Outcome:
    """What to say to a delivery of an item that another claim holds or has served."""
    if state.served is None:
        return Outcome(
            "in_progress", state.item, state.system, reason="claimed", retry_after=state.lease_left
        )
    served = state.served
    return Outcome(
        "duplicate", state.item, served.system, served.value, "served before", kept=served.kept
    )

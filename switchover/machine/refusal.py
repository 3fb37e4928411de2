"""Refusing an event that the state does not allow, in words that say why. Pure."""

from __future__ import annotations

from switchover.errors import IllegalTransition
from switchover.machine.event_base import Event
from switchover.machine.state import TERMINAL, State


def refuse(state: State, event: Event, why: str = "") -> IllegalTransition:
    """The error for an event that is not possible now."""
    phase, what = state.phase.value.replace("_", " "), event.kind.replace("_", " ")
    reason = f": {why}" if why else ""
    return IllegalTransition(f"{state.migration} is {phase}; {what} is not possible now{reason}")


def require_live(state: State, event: Event) -> None:
    """Refuse an event of a migration that has ended."""
    if state.phase in TERMINAL:
        raise refuse(state, event)

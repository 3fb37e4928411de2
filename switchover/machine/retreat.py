"""What going back does to a state: of everything, of one component, or by giving up. Pure."""

from __future__ import annotations

from dataclasses import replace

from switchover.machine.event import Aborted
from switchover.machine.flag import versioned
from switchover.machine.refusal import refuse, require_live
from switchover.machine.rollback_event import (
    ComponentRolledBack,
    RollbackMeasured,
    RolledBack,
    Stranded,
)
from switchover.machine.state import RETRY, Phase, State


def turn_back(event: RolledBack, state: State) -> State:
    """Legacy serves everything, from whatever phase."""
    if state.phase is Phase.ROLLED_BACK:
        raise refuse(state, event, "it is rolled back already")
    return replace(
        state,
        phase=Phase.ROLLED_BACK,
        mode="emergency_rollback",
        split=0,
        shadow=0,
        halt=event.halt,
        approval=None,
        reason=event.reason,
        incident=event.incident,
        alerts=(),
        no_return=False,
    )


def turn_component_back(event: ComponentRolledBack, state: State) -> State:
    """The flags of one component are off, and the migration is held."""
    if state.phase in RETRY:
        raise refuse(state, event, "all of it is on legacy")
    off = {name: {**state.flags[name], "enabled": False} for name in event.flags}
    # A migration that is complete takes no step that could be held.
    phase = state.phase if state.phase is Phase.COMPLETE else Phase.HELD
    flags = state.flags | versioned(off, state.revision + 1)
    reason = f"component {event.component} was rolled back: {event.reason}"
    return replace(state, phase=phase, flags=flags, reason=reason, incident=event.incident)


def note_measure(event: RollbackMeasured, state: State) -> State:
    """A rollback that reached every live router is a drill, too."""
    if state.incident != event.incident:
        raise refuse(state, event, f"the open incident is {state.incident or 'none'}")
    return replace(state, drilled=event.at) if event.reached else state


def strand(event: Stranded, state: State) -> State:
    """The candidate failed where nothing goes back: held, once in a stage."""
    if state.phase in RETRY:
        raise refuse(state, event)
    if not state.no_return:
        raise refuse(state, event, "no point of no return is passed: it rolls back")
    if state.stranded == state.stage:
        raise refuse(state, event, f"incident {state.incident} tells of it already")
    # A migration that is complete takes no step that could be held.
    phase = state.phase if state.phase is Phase.COMPLETE else Phase.HELD
    return replace(
        state, phase=phase, reason=event.reason, incident=event.incident, stranded=state.stage
    )


def abort(event: Aborted, state: State) -> State:
    """Legacy serves everything, by decision."""
    require_live(state, event)
    if state.no_return:
        raise refuse(
            state, event, "it is past its point of no return: hold it, or insist with "
            f"`switchover rollback {state.migration} --past-the-point-of-no-return`",
        )  # fmt: skip
    return replace(
        state, phase=Phase.ABORTED, mode="legacy_only", split=0, shadow=0,
        approval=None, reason=event.reason, alerts=(),
    )  # fmt: skip

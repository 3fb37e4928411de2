"""What drills do to a state: they may turn the traffic, and then bring it back. Pure."""

from __future__ import annotations

from dataclasses import replace

from switchover.machine.drill import Drill
from switchover.machine.drill_event import DrillBegun, Drilled
from switchover.machine.refusal import refuse, require_live
from switchover.machine.state import Phase, State


def begin_drill(event: DrillBegun, state: State) -> State:
    """With a ``real`` one legacy serves everything until it ends. After a rollback legacy does,
    and another attempt may be asked for a rehearsal."""
    if event.real or state.phase is not Phase.ROLLED_BACK:
        require_live(state, event)
    if state.drill is not None:
        raise refuse(state, event, f"drill {state.drill.id} is under way")
    if event.real and state.no_return:
        raise refuse(state, event, "the point of no return is passed")
    serving = (state.mode, state.split, state.shadow)
    drill = Drill(event.drill, event.at, event.until, event.real, *serving)
    if event.real:
        return replace(state, drill=drill, mode="legacy_only", split=0, shadow=0)
    return replace(state, drill=drill)


def end_drill(event: Drilled, state: State) -> State:
    """Who serves is as before, and a drill that succeeded is remembered."""
    drill = state.drill
    if drill is None or drill.id != event.drill:
        raise refuse(state, event, f"drill {event.drill} is not under way")
    drilled = event.at if event.ok else state.drilled
    if not drill.real:
        return replace(state, drill=None, drilled=drilled)
    return replace(
        state, drill=None, drilled=drilled,
        mode=drill.mode, split=drill.split, shadow=drill.shadow,
    )  # fmt: skip

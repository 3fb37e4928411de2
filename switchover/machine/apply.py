"""Apply an event to a state: the only way a state ever changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

from switchover.machine import event as e
from switchover.machine.alerting import clear_alert, is_red, raise_alert
from switchover.machine.flag import read_flags, versioned
from switchover.machine.inquiry import follow
from switchover.machine.modes import check_transition
from switchover.machine.refusal import refuse as _refuse
from switchover.machine.refusal import require_live as _live
from switchover.machine.rehearse import begin_drill, end_drill
from switchover.machine.retreat import abort, note_measure, strand, turn_back, turn_component_back
from switchover.machine.state import (
    RETRY,
    TERMINAL,
    Items,
    Phase,
    Result,
    State,
)
from switchover.machine.voting import ask, close_vote, count_vote, sign_off, withdraw_sign_off


def begin(migration: str, started: e.Started) -> State:
    """The state after a migration's first event."""
    return State(
        migration=migration,
        revision=1,
        epoch=1,
        turned=1,
        flags=versioned(started.flags, 1),
        salt=started.salt,
        key=started.key,
        halt=started.halt,
        started_by=started.actor,
        group=started.group,
        entered_at=started.at,
        not_before=started.at,
    )


def apply(state: State, event: e.Event) -> State:
    """The next state; raises :class:`IllegalTransition` if there is no such edge.

    The revision grows by one with every event; the epoch follows it when routing changes.
    """
    after = replace(_apply(event, state), inquiries=follow(state.inquiries, event))
    revision = state.revision + 1
    if after.phase in TERMINAL and after.phase is not state.phase:
        after = replace(after, drill=None)
    turned = _serving(after) != _serving(state)
    # A drill asks the live routers whether they follow: by an epoch that changes nothing else.
    changed = turned or after.flags != state.flags or isinstance(event, e.DrillBegun)
    return replace(
        after,
        revision=revision,
        epoch=revision if changed else state.epoch,
        turned=revision if turned else state.turned,
    )


def _serving(state: State) -> tuple[object, ...]:
    return state.mode, state.split, state.shadow, state.halt


def _sound(state: State, event: e.Event, flags: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse flags that no router could read: it would refuse the whole document with them."""
    try:
        read_flags(flags)
    except ValueError as error:
        raise _refuse(state, event, str(error)) from error


@singledispatch
def _apply(event: e.Event, state: State) -> State:
    raise _refuse(state, event, "unknown event")


@_apply.register
def _(event: e.Started, state: State) -> State:
    if state.phase not in RETRY:
        raise _refuse(state, event, "only a rolled-back or aborted migration starts again")
    fresh = begin(state.migration, event)
    flags = {**state.flags, **versioned(event.flags, state.revision + 1)}
    _sound(state, event, flags)
    return replace(
        fresh,
        salt=state.salt,
        attempt=state.attempt + 1,
        revision=state.revision,
        flags=flags,
        drilled=state.drilled,
    )


@_apply.register
def _(event: e.StageEntered, state: State) -> State:
    _live(state, event)
    if state.phase is Phase.HELD:
        raise _refuse(state, event, "resume it first")
    if state.drill is not None and state.drill.real:
        raise _refuse(state, event, f"drill {state.drill.id} is under way")
    if event.stage != state.stage + 1:
        raise _refuse(state, event, f"stage {event.stage} does not follow stage {state.stage}")
    approval = state.approval
    if state.phase is Phase.AWAITING_APPROVAL and not (approval and approval.status == "approved"):
        raise _refuse(state, event, "the approval is still open")
    check_transition(state.mode, event.mode)
    if event.split < state.split:
        raise _refuse(state, event, f"the split would fall from {state.split} to {event.split}")
    done = event.mode == "candidate_only"
    return replace(
        state,
        phase=Phase.COMPLETE if done else Phase.RUNNING,
        stage=event.stage,
        mode=event.mode,
        split=event.split,
        shadow=event.shadow,
        entered_at=event.at,
        entered_by=event.actor,
        not_before=event.not_before,
        approval=None,
        work=None,
        data=None,
        verdict="",
        reason="",
        alerts=() if done else state.alerts,
        no_return=state.no_return or event.reversibility == "point_of_no_return",
    )


@_apply.register
def _(event: e.WorkRecorded, state: State) -> State:
    _live(state, event)
    _same_stage(event, state, event.stage)
    return replace(state, work=Result(event.stage, event.ok, event.at, event.summary))


@_apply.register
def _(event: e.DataChecked, state: State) -> State:
    _live(state, event)
    _same_stage(event, state, event.stage)
    return replace(state, data=Result(event.stage, event.ok, event.at, event.summary))


@_apply.register
def _(event: e.Judged, state: State) -> State:
    _live(state, event)
    _same_stage(event, state, event.stage)
    # Once the evidence no longer asks for it, the next failure is a new one.
    broken = event.verdict == "rollback" or is_red(state.alerts)
    stranded = state.stranded if broken else -1
    return replace(state, verdict=event.verdict, reason=event.sentence, stranded=stranded)


@_apply.register
def _(event: e.Held, state: State) -> State:
    _live(state, event)
    if state.phase is Phase.HELD:
        raise _refuse(state, event, "it is held already")
    return replace(state, phase=Phase.HELD, reason=event.reason)


@_apply.register
def _(event: e.Resumed, state: State) -> State:
    if state.phase is not Phase.HELD:
        raise _refuse(state, event, "it is not held")
    waiting = state.approval is not None and state.approval.status in ("pending", "approved")
    phase = Phase.AWAITING_APPROVAL if waiting else Phase.RUNNING
    return replace(
        state, phase=phase, reason=event.reason, approval=state.approval if waiting else None
    )


@_apply.register
def _(event: e.FlagsChanged, state: State) -> State:
    gone = {name for name, definition in event.flags.items() if definition is None}
    kept = {name: flag for name, flag in state.flags.items() if name not in gone}
    changed = {name: flag for name, flag in event.flags.items() if flag is not None}
    flags = kept | versioned(changed, state.revision + 1)
    _sound(state, event, flags)
    return replace(state, flags=flags)


@_apply.register
def _(event: e.ItemsCompared, state: State) -> State:
    if state.items is not None and state.items.order:
        raise _refuse(state, event, f"the repairs of revision {state.items.order} are still open")
    order = state.revision + 1 if event.repairs else 0
    found = Items(event.at, event.disagreements, event.digest, event.summary, order)
    return replace(state, items=found)


@_apply.register
def _(event: e.ItemsRepaired, state: State) -> State:
    order = state.items.order if state.items is not None else 0
    if not order or event.order != order:
        raise _refuse(state, event, f"the repairs of revision {event.order} are not open")
    # What is left is told anew by the next look.
    digest = "" if event.disagreements == 0 else f"after {event.order}"
    return replace(state, items=Items(event.at, event.disagreements, digest, event.summary))


_apply.register(e.DrillBegun, begin_drill)
_apply.register(e.Drilled, end_drill)
_apply.register(e.ApprovalRequested, ask)
_apply.register(e.ApprovalVoted, count_vote)
_apply.register(e.ApprovalDecided, close_vote)
_apply.register(e.SignedOff, sign_off)
_apply.register(e.SignOffWithdrawn, withdraw_sign_off)
_apply.register(e.RolledBack, turn_back)
_apply.register(e.ComponentRolledBack, turn_component_back)
_apply.register(e.RollbackMeasured, note_measure)
_apply.register(e.Stranded, strand)
_apply.register(e.Aborted, abort)
_apply.register(e.AlertRaised, raise_alert)
_apply.register(e.AlertCleared, clear_alert)

for _kind in (
    e.Noted, e.RollbackStepBegun, e.RollbackStepDone, e.RollbackEscalated, e.RollbackFrozen,
    e.IncidentAcknowledged, e.IncidentUpdated, e.CriterionTicked, e.CriterionUnticked,
    e.IncidentClosed, e.WaveValidated,
):  # fmt: skip
    _apply.register(_kind, lambda event, state: state)  # but for the inquiries


def _same_stage(event: e.Event, state: State, stage: int) -> None:
    if stage != state.stage:
        raise _refuse(state, event, f"it speaks of stage {stage}, the present one is {state.stage}")

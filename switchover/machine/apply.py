"""Apply an event to a state: the only way a state ever changes. Pure."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from switchover.errors import IllegalTransition
from switchover.machine import event as e
from switchover.machine.modes import check_transition
from switchover.machine.state import TERMINAL, Approval, Phase, Result, State

_RETRY = frozenset({Phase.ROLLED_BACK, Phase.ABORTED})


def begin(migration: str, started: e.Started) -> State:
    """The state after a migration's first event."""
    return State(
        migration=migration,
        revision=1,
        epoch=1,
        salt=started.salt,
        key=started.key,
        halt=started.halt,
        started_by=started.actor,
        entered_at=started.at,
        not_before=started.at,
    )


def apply(state: State, event: e.Event) -> State:
    """The next state; raises :class:`IllegalTransition` if there is no such edge.

    The revision grows by one with every event; the epoch follows it when routing changes.
    """
    after = _apply(event, state)
    revision = state.revision + 1
    routed = (after.mode, after.split, after.shadow, after.halt)
    changed = routed != (state.mode, state.split, state.shadow, state.halt)
    return replace(after, revision=revision, epoch=revision if changed else state.epoch)


def _refuse(state: State, event: e.Event, why: str = "") -> IllegalTransition:
    phase, what = state.phase.value.replace("_", " "), event.kind.replace("_", " ")
    reason = f": {why}" if why else ""
    return IllegalTransition(f"{state.migration} is {phase}; {what} is not possible now{reason}")


def _live(state: State, event: e.Event) -> None:
    if state.phase in TERMINAL:
        raise _refuse(state, event)


@singledispatch
def _apply(event: e.Event, state: State) -> State:
    raise _refuse(state, event, "unknown event")


@_apply.register
def _(event: e.Started, state: State) -> State:
    if state.phase not in _RETRY:
        raise _refuse(state, event, "only a rolled-back or aborted migration starts again")
    fresh = begin(state.migration, event)
    return replace(fresh, salt=state.salt, attempt=state.attempt + 1, revision=state.revision)


@_apply.register
def _(event: e.StageEntered, state: State) -> State:
    _live(state, event)
    if state.phase is Phase.HELD:
        raise _refuse(state, event, "resume it first")
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
        not_before=event.not_before,
        approval=None,
        work=None,
        data=None,
        verdict="",
        reason="",
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
    return replace(state, verdict=event.verdict, reason=event.sentence)


@_apply.register
def _(event: e.ApprovalRequested, state: State) -> State:
    if state.phase is not Phase.RUNNING:
        raise _refuse(state, event)
    if event.stage != state.stage + 1:
        raise _refuse(state, event, "an approval is for the next stage")
    approval = Approval(event.id, event.stage, event.evidence, event.at, event.expires_at)
    return replace(state, phase=Phase.AWAITING_APPROVAL, approval=approval)


@_apply.register
def _(event: e.ApprovalDecided, state: State) -> State:
    approval = state.approval
    if approval is None or approval.id != event.id or state.phase in TERMINAL:
        raise _refuse(state, event, f"there is no open approval {event.id}")
    legal = {"pending": {"approved", "rejected", "void", "expired"}, "approved": {"void"}}
    if event.status not in legal.get(approval.status, set()):
        raise _refuse(state, event, f"approval {event.id} is already {approval.status}")
    decided = replace(approval, status=event.status, approver=event.approver, reason=event.reason)
    if state.phase is Phase.HELD:
        return replace(state, approval=decided)
    phase = {
        "approved": Phase.AWAITING_APPROVAL,
        "rejected": Phase.HELD,
        "expired": Phase.HELD,
        "void": Phase.RUNNING,
    }[event.status]
    reason = f"approval {event.status}" + (f": {event.reason}" if event.reason else "")
    return replace(state, phase=phase, approval=decided, reason=reason)


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
def _(event: e.RolledBack, state: State) -> State:
    if state.phase is Phase.ROLLED_BACK:
        raise _refuse(state, event, "it is rolled back already")
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
    )


@_apply.register
def _(event: e.RollbackMeasured, state: State) -> State:
    if state.incident != event.incident:
        raise _refuse(state, event, f"the open incident is {state.incident or 'none'}")
    return state


@_apply.register
def _(event: e.Aborted, state: State) -> State:
    _live(state, event)
    return replace(
        state, phase=Phase.ABORTED, mode="legacy_only", split=0, shadow=0,
        approval=None, reason=event.reason,
    )  # fmt: skip


@_apply.register
def _(event: e.Noted, state: State) -> State:
    return state


def _same_stage(event: e.Event, state: State, stage: int) -> None:
    if stage != state.stage:
        raise _refuse(state, event, f"it speaks of stage {stage}, the present one is {state.stage}")

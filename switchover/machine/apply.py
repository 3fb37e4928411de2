"""Apply an event to a state: the only way a state ever changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

from switchover.errors import IllegalTransition
from switchover.machine import event as e
from switchover.machine.flag import read_flags
from switchover.machine.modes import check_transition
from switchover.machine.state import (
    TERMINAL,
    Alert,
    Approval,
    Items,
    Phase,
    Result,
    SignOff,
    State,
    Vote,
)

_RETRY = frozenset({Phase.ROLLED_BACK, Phase.ABORTED})


def begin(migration: str, started: e.Started) -> State:
    """The state after a migration's first event."""
    return State(
        migration=migration,
        revision=1,
        epoch=1,
        turned=1,
        flags=_defined(started.flags, 1),
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
    after = _apply(event, state)
    revision = state.revision + 1
    turned = _serving(after) != _serving(state)
    changed = turned or after.flags != state.flags
    return replace(
        after,
        revision=revision,
        epoch=revision if changed else state.epoch,
        turned=revision if turned else state.turned,
    )


def _serving(state: State) -> tuple[object, ...]:
    return state.mode, state.split, state.shadow, state.halt


def _defined(flags: Mapping[str, Mapping[str, Any]], revision: int) -> dict[str, dict[str, Any]]:
    return {name: {**definition, "version": revision} for name, definition in flags.items()}


def _sound(state: State, event: e.Event, flags: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse flags that no router could read: it would refuse the whole document with them."""
    try:
        read_flags(flags)
    except ValueError as error:
        raise _refuse(state, event, str(error)) from error


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
    flags = {**state.flags, **_defined(event.flags, state.revision + 1)}
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
    stranded = state.stranded if event.verdict == "rollback" else -1
    return replace(state, verdict=event.verdict, reason=event.sentence, stranded=stranded)


@_apply.register
def _(event: e.ApprovalRequested, state: State) -> State:
    if state.phase is not Phase.RUNNING:
        raise _refuse(state, event)
    if event.stage != state.stage + 1:
        raise _refuse(state, event, "an approval is for the next stage")
    approval = Approval(event.id, event.stage, event.evidence, event.at, event.expires_at)
    return replace(state, phase=Phase.AWAITING_APPROVAL, approval=approval)


@_apply.register
def _(event: e.ApprovalVoted, state: State) -> State:
    approval = state.approval
    if approval is None or approval.id != event.id or state.phase in TERMINAL:
        raise _refuse(state, event, f"there is no open approval {event.id}")
    if approval.status != "pending":
        raise _refuse(state, event, f"approval {event.id} is already {approval.status}")
    if event.approver in approval.voters:
        raise _refuse(state, event, f"{event.approver} has approved it before")
    return replace(state, approval=replace(approval, votes=(*approval.votes, _vote(event))))


@_apply.register
def _(event: e.ApprovalDecided, state: State) -> State:
    approval = state.approval
    if approval is None or approval.id != event.id or state.phase in TERMINAL:
        raise _refuse(state, event, f"there is no open approval {event.id}")
    legal = {"pending": {"approved", "rejected", "void", "expired"}, "approved": {"void"}}
    if event.status not in legal.get(approval.status, set()):
        raise _refuse(state, event, f"approval {event.id} is already {approval.status}")
    given = event.status == "approved" and event.approver not in approval.voters
    decided = replace(
        approval,
        status=event.status,
        approver=event.approver,
        reason=event.reason,
        decided_at=event.at,
        votes=(*approval.votes, _vote(event)) if given else approval.votes,
    )
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
        alerts=(),
        no_return=False,
    )


@_apply.register
def _(event: e.RollbackMeasured, state: State) -> State:
    if state.incident != event.incident:
        raise _refuse(state, event, f"the open incident is {state.incident or 'none'}")
    return replace(state, drilled=event.at) if event.reached else state


@_apply.register
def _(event: e.Aborted, state: State) -> State:
    _live(state, event)
    if state.no_return:
        raise _refuse(
            state, event, "it is past its point of no return: hold it, or insist with "
            f"`switchover rollback {state.migration} --past-the-point-of-no-return`",
        )  # fmt: skip
    return replace(
        state, phase=Phase.ABORTED, mode="legacy_only", split=0, shadow=0,
        approval=None, reason=event.reason, alerts=(),
    )  # fmt: skip


@_apply.register
def _(event: e.Stranded, state: State) -> State:
    if state.phase in _RETRY:
        raise _refuse(state, event)
    if not state.no_return:
        raise _refuse(state, event, "no point of no return is passed: it rolls back")
    if state.stranded == state.stage:
        raise _refuse(state, event, f"incident {state.incident} tells of it already")
    # A migration that is complete takes no step that could be held.
    phase = state.phase if state.phase is Phase.COMPLETE else Phase.HELD
    return replace(
        state, phase=phase, reason=event.reason, incident=event.incident, stranded=state.stage
    )


@_apply.register
def _(event: e.SignedOff, state: State) -> State:
    _live(state, event)
    if any(each.item == event.item for each in state.sign_offs):
        raise _refuse(state, event, f"{event.item} is signed off already")
    signed = SignOff(event.item, event.actor, event.at, event.note)
    return replace(state, sign_offs=(*state.sign_offs, signed))


@_apply.register
def _(event: e.SignOffWithdrawn, state: State) -> State:
    _live(state, event)
    left = tuple(each for each in state.sign_offs if each.item != event.item)
    if left == state.sign_offs:
        raise _refuse(state, event, f"{event.item} is not signed off")
    return replace(state, sign_offs=left)


@_apply.register
def _(event: e.FlagsChanged, state: State) -> State:
    gone = {name for name, definition in event.flags.items() if definition is None}
    kept = {name: flag for name, flag in state.flags.items() if name not in gone}
    changed = {name: flag for name, flag in event.flags.items() if flag is not None}
    flags = kept | _defined(changed, state.revision + 1)
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


@_apply.register
def _(event: e.AlertRaised, state: State) -> State:
    _live(state, event)
    if _alert(state, event) is not None:
        raise _refuse(state, event, f"{event.target} of {event.system} is alerted already")
    alert = Alert(event.target, event.system, event.at, event.text)
    return replace(state, alerts=(*state.alerts, alert))


@_apply.register
def _(event: e.AlertCleared, state: State) -> State:
    _live(state, event)
    alert = _alert(state, event)
    if alert is None:
        raise _refuse(state, event, f"there is no alert on {event.target} of {event.system}")
    return replace(state, alerts=tuple(each for each in state.alerts if each != alert))


@_apply.register
def _(event: e.Noted, state: State) -> State:
    return state


def _vote(event: e.ApprovalVoted | e.ApprovalDecided) -> Vote:
    return Vote(event.approver, event.at, event.via, event.identity, event.reason)


def _alert(state: State, event: e.AlertRaised | e.AlertCleared) -> Alert | None:
    wanted = (event.target, event.system)
    return next((a for a in state.alerts if (a.target, a.system) == wanted), None)


def _same_stage(event: e.Event, state: State, stage: int) -> None:
    if stage != state.stage:
        raise _refuse(state, event, f"it speaks of stage {stage}, the present one is {state.stage}")

"""Advance: take the one step that is due, or say why there is none."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from switchover.canonical import digest_of
from switchover.engine.approve import abort, settle
from switchover.engine.assess import facts
from switchover.engine.compare import present
from switchover.engine.context import Case, Context
from switchover.engine.freeze import said, stops
from switchover.engine.outbox import ask_effects, step_effects, strand_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.scheduled import head_start
from switchover.errors import LostRace, PointOfNoReturn
from switchover.machine.action import (
    Abort,
    Action,
    Ask,
    CheckData,
    Enter,
    Expire,
    RollBack,
    Strand,
    Void,
)
from switchover.machine.decide import Facts, decide
from switchover.machine.event import ApprovalRequested, StageEntered, Stranded
from switchover.machine.state import Phase
from switchover.plan.stages import Stage


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an advance did. ``action`` is the name of what was due; ``did`` tells whether the
    ledger changed, ``uneasy`` whether evidence against the candidate builds."""

    migration: str
    action: str
    did: bool
    sentence: str
    stage: str
    split: float
    uneasy: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "migration": self.migration, "action": self.action, "did": self.did,
            "sentence": self.sentence, "stage": self.stage, "split": self.split,
        }  # fmt: skip


def take_step(context: Context, migration: str, *, actor: str) -> Outcome:
    """Decide on the present state and do that one thing (invariant 1).

    Work and data checks are not done here: a flow runs them as tasks and calls again. Losing
    the race to another advancer is an outcome, not an error.
    """
    case = context.open(migration)
    known = facts(case, actor=actor)
    action = decide(case.state, case.stages, known)
    try:
        after = _do(case, action, known, actor)
    except LostRace:
        return _lost(context.open(migration), action)
    except PointOfNoReturn as error:
        # Passed since this was decided; the next look strands it.
        return _outcome(context.open(migration), action, False, str(error))
    if after is not None and isinstance(action, Enter) and after.state.phase is Phase.ROLLED_BACK:
        # The step is on record, and so is the rollback that came before it reached routing.
        return _outcome(after, action, True, f"rolled back meanwhile: {after.state.reason}")
    return _outcome(after or case, action, after is not None, action.reason)


def _lost(case: Case, action: Action) -> Outcome:
    """Another writer came first: a run that took the step, or somebody who stopped it."""
    if on := stops(case):
        return _outcome(case, action, False, said(on[0]))
    return _outcome(case, action, False, "another run took the step first")


def _do(case: Case, action: Action, known: Facts, actor: str) -> Case | None:
    if isinstance(action, Enter):
        return _enter(case, action, known, actor)
    if isinstance(action, Ask):
        return _ask(case, action, known, actor)
    if isinstance(action, Void):
        return settle(case, "void", reason=action.reason, actor=actor)
    if isinstance(action, Expire):
        return settle(case, "expired", reason=action.reason, actor=actor)
    if isinstance(action, RollBack):
        reading = known.reading.to_dict() if known.reading else {}
        migration = case.state.migration
        roll_back(case.context, migration, actor=actor, trigger=action.trigger,
                  reason=action.reason, reading=reading)  # fmt: skip
        return case.context.open(migration)
    if isinstance(action, Strand):
        return _strand(case, action, known, actor)
    if isinstance(action, Abort):
        return abort(case.context, case.state.migration, actor=actor, reason=action.reason)
    return None


def _enter(case: Case, action: Enter, known: Facts, actor: str) -> Case:
    stage = case.stages[action.stage]
    now = case.context.timestamp
    event = StageEntered(
        stage=stage.index,
        title=stage.title,
        mode=stage.mode,
        split=stage.split,
        shadow=stage.shadow,
        at=now,
        not_before=now + stage.bake - head_start(case, actor, stage.bake),
        evidence=known.reading.to_dict() if known.reading else {},
        old_mode=case.state.mode,
        reason=action.reason,
        comparison=present(case),
        reversibility=stage.reversibility,
        compensation=stage.compensation,
        actor=actor,
    )
    after = case.append(event, actor=actor, effects=step_effects(case, event))
    if project(after):
        push(after)
        return after
    # Another run wrote it already, or a rollback forbids it: the ledger learns of that now.
    reconcile(case.context, case.state.migration)
    return case.context.open(case.state.migration)


def _strand(case: Case, action: Strand, known: Facts, actor: str) -> Case:
    event = Stranded(
        at=known.now,
        actor=actor,
        trigger=action.trigger,
        reason=action.reason,
        incident=f"{case.state.migration}-{uuid.uuid4().hex[:12]}",
        reading=known.reading.to_dict() if known.reading else {},
        criteria=[],
    )
    return case.append(event, actor=actor, effects=strand_effects(case, event))


def _ask(case: Case, action: Ask, known: Facts, actor: str) -> Case:
    now = case.context.timestamp
    reading = known.reading.to_dict() if known.reading else {}
    shown = _shown(case, case.stages[action.stage])
    event = ApprovalRequested(
        id=f"{case.state.migration}-{uuid.uuid4().hex[:10]}",
        stage=action.stage,
        evidence=evidence_hash(shown, reading),
        at=now,
        expires_at=_deadline(case, now),
        reading=reading,
        shown=shown,
    )
    return case.append(event, actor=actor, effects=ask_effects(case, event))


def _shown(case: Case, following: Stage) -> dict[str, Any]:
    """What people are asked about, besides the judge's numbers."""
    work, data = case.state.work, case.state.data
    return {
        "plan": case.record.plan.digest,
        "attempt": case.state.attempt,
        "stage": case.stage.key,
        "next": following.key,
        "work": asdict(work) if work else None,
        "data": asdict(data) if data else None,
    }


def evidence_hash(shown: dict[str, Any], reading: dict[str, Any]) -> str:
    """SHA-256 over what approvers are asked about. Both are in the request's entry, so that
    anybody can compute it again."""
    return digest_of([shown, reading])


def _deadline(case: Case, now: float) -> float:
    """When the request expires. One that only shows newer evidence keeps the day of the first:
    a plan's ``on_expiry`` would never come otherwise."""
    policy, last = case.plan.approvals, case.state.approval
    if policy is None:
        return now
    renewed = (
        last is not None
        and last.status == "void"
        and last.aged(last.decided_at, policy.evidence_max_age) != ""
    )
    return last.expires_at if last and renewed and last.expires_at > now else now + policy.expires


def _outcome(case: Case, action: Action, did: bool, sentence: str) -> Outcome:
    return Outcome(
        case.state.migration,
        action_name(action),
        did,
        sentence,
        case.stage.title,
        case.state.split / 100,
    )


def action_name(action: Action) -> str:
    """The action in a word, for programs: ``enter``, ``wait``, ``check_data``."""
    names = {CheckData: "check_data", RollBack: "roll_back"}
    return names.get(type(action), type(action).__name__.lower())

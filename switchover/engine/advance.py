"""Advance: take the one step that is due, or say why there is none."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from switchover.engine.approve import settle
from switchover.engine.assess import facts
from switchover.engine.compare import present
from switchover.engine.context import Case, Context
from switchover.engine.outbox import ask_effects, step_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.errors import LostRace
from switchover.machine.action import Action, Ask, CheckData, Enter, Expire, RollBack, Void
from switchover.machine.decide import Facts, decide
from switchover.machine.event import ApprovalRequested, StageEntered
from switchover.machine.state import Phase


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an advance did. ``action`` is the name of what was due; ``did`` tells whether the
    ledger changed."""

    migration: str
    action: str
    did: bool
    sentence: str
    stage: str
    split: float

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
    known = facts(case)
    action = decide(case.state, case.stages, known)
    try:
        after = _do(case, action, known, actor)
    except LostRace:
        return _outcome(context.open(migration), action, False, "another run took the step first")
    if after is not None and isinstance(action, Enter) and after.state.phase is Phase.ROLLED_BACK:
        # The step is on record, and so is the rollback that came before it reached routing.
        return _outcome(after, action, True, f"rolled back meanwhile: {after.state.reason}")
    return _outcome(after or case, action, after is not None, action.reason)


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
        roll_back(case.context, migration, actor=actor, trigger="judge", reason=action.reason,
                  reading=reading)  # fmt: skip
        return case.context.open(migration)
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
        not_before=now + stage.bake,
        evidence=known.reading.to_dict() if known.reading else {},
        old_mode=case.state.mode,
        reason=action.reason,
        comparison=present(case),
    )
    after = case.append(event, actor=actor, effects=step_effects(case, event))
    if project(after):
        push(after)
        return after
    # Another run wrote it already, or a rollback forbids it: the ledger learns of that now.
    reconcile(case.context, case.state.migration)
    return case.context.open(case.state.migration)


def _ask(case: Case, action: Ask, known: Facts, actor: str) -> Case:
    now = case.context.timestamp
    policy = case.plan.approvals
    reading = known.reading.to_dict() if known.reading else {}
    event = ApprovalRequested(
        id=f"{case.state.migration}-{uuid.uuid4().hex[:10]}",
        stage=action.stage,
        evidence=evidence_hash(case, reading),
        at=now,
        expires_at=now + (policy.expires if policy else 0.0),
        reading=reading,
    )
    return case.append(event, actor=actor, effects=ask_effects(case, event))


def evidence_hash(case: Case, reading: dict[str, Any]) -> str:
    """SHA-256 over what an approver is shown: the plan, the stage and every gate's numbers."""
    shown = [case.record.plan.digest, case.stage.key, reading]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


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

"""Assess: what the evidence says about the present stage, without changing anything."""

from __future__ import annotations

from typing import Any

from switchover.engine.collect import at_stage
from switchover.engine.context import Case
from switchover.judge import rollout
from switchover.judge.rollout import Evidence
from switchover.judge.verdict import StageReading
from switchover.machine.action import Action
from switchover.machine.decide import Facts, decide
from switchover.machine.state import TERMINAL
from switchover.plan.calendar import blocked


def assess(case: Case) -> StageReading | None:
    """The reading of the present stage; None for a stage without traffic."""
    return None if case.stage.work else _reading(case, _stored(case))


def _stored(case: Case) -> dict[str, Any] | None:
    return case.context.ledger.evidence(case.state.migration)


def _reading(case: Case, stored: dict[str, Any] | None) -> StageReading:
    document = at_stage(case, stored)
    left = case.state.not_before - case.context.timestamp
    return rollout.assess(
        case.gates,
        case.rules,
        Evidence.from_dict(document["judge"]),
        stage_kind=case.stage.kind,
        dwell_over=left <= 0,
        dwell_left=max(0.0, left),
    )


def facts(case: Case) -> Facts:
    """Everything beside the state that a decision needs, read now."""
    stored = None if case.stage.work else _stored(case)
    policy = case.plan.approvals
    return Facts(
        now=case.context.timestamp,
        reading=None if case.stage.work else _reading(case, stored),
        blocked=blocked(case.plan.schedule, case.context.clock.now()),
        silence=_silence(case, stored),
        automatic_rollback=case.plan.rollback.automatic,
        rollback_on_silence=case.plan.judgement.no_data == "rollback",
        on_expiry=policy.on_expiry if policy else "hold",
    )


def due(case: Case) -> Action:
    """What is due now; the same answer for ``advance``, ``monitor`` and ``why``."""
    return decide(case.state, case.stages, facts(case))


def last_heard(case: Case, stored: dict[str, Any] | None) -> float:
    """When the newest evidence of the stage was recorded, or the stage began."""
    return max(stored["last_at"] if stored else 0.0, case.state.entered_at)


def _silence(case: Case, stored: dict[str, Any] | None) -> str:
    """The sentence for missing evidence past the plan's limit; empty while data flow."""
    if case.stage.work or case.state.phase in TERMINAL:
        return ""
    silent = case.context.timestamp - last_heard(case, stored)
    if silent <= case.plan.judgement.no_data_after:
        return ""
    return f"no evidence has arrived for {silent / 60:.0f} minutes; is the recorder running?"

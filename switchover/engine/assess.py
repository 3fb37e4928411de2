"""Assess: what the evidence says about the present stage, without changing anything."""

from __future__ import annotations

from switchover.engine.collect import at_stage
from switchover.engine.context import Case
from switchover.judge import rollout
from switchover.judge.rollout import Evidence
from switchover.judge.verdict import StageReading
from switchover.machine.action import Action
from switchover.machine.decide import Facts, decide
from switchover.plan.calendar import blocked


def assess(case: Case) -> StageReading | None:
    """The reading of the present stage; None for a stage without traffic."""
    if case.stage.work:
        return None
    document = at_stage(case, case.context.ledger.evidence(case.state.migration))
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
    return Facts(
        now=case.context.timestamp,
        reading=assess(case),
        blocked=blocked(case.plan.schedule, case.context.clock.now()),
        silence=_silence(case),
        automatic_rollback=case.plan.rollback.automatic,
        rollback_on_silence=case.plan.judgement.no_data == "rollback",
    )


def due(case: Case) -> Action:
    """What is due now; the same answer for ``advance``, ``monitor`` and ``why``."""
    return decide(case.state, case.stages, facts(case))


def _silence(case: Case) -> str:
    """The sentence for missing evidence past the plan's limit; empty while data flow."""
    if case.stage.work or case.stage.kind == "complete":
        return ""
    document = case.context.ledger.evidence(case.state.migration)
    heard = max(document["last_at"] if document else 0.0, case.state.entered_at)
    silent = case.context.timestamp - heard
    if silent <= case.plan.judgement.no_data_after:
        return ""
    return f"no evidence has arrived for {silent / 60:.0f} minutes; is the recorder running?"

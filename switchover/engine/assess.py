"""Assess: what the evidence says about the present stage, without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchover.engine.collect import at_stage, heard_key
from switchover.engine.context import Case
from switchover.engine.proxies import astray, measured
from switchover.judge import rollout
from switchover.judge.gate import kinds
from switchover.judge.rollout import Evidence
from switchover.judge.verdict import StageReading
from switchover.machine.action import Action
from switchover.machine.decide import Facts, decide
from switchover.machine.state import TERMINAL
from switchover.plan.calendar import blocked
from switchover.ports import MeasuredShare


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


def facts(case: Case, shares: Sequence[MeasuredShare] | None = None) -> Facts:
    """Everything beside the state that a decision needs, read now unless it is given."""
    stored = None if case.stage.work else _stored(case)
    policy = case.plan.approvals
    return Facts(
        now=case.context.timestamp,
        reading=None if case.stage.work else _reading(case, stored),
        blocked=blocked(case.plan.schedule, case.context.clock.now()),
        silence=_silence(case, stored),
        astray=astray(case, measured(case) if shares is None else shares),
        automatic_rollback=case.plan.rollback.automatic,
        rollback_on_silence=case.plan.judgement.no_data == "rollback",
        on_expiry=policy.on_expiry if policy else "hold",
    )


def due(case: Case, shares: Sequence[MeasuredShare] | None = None) -> Action:
    """What is due now; the same answer for ``advance``, ``monitor`` and ``why``."""
    return decide(case.state, case.stages, facts(case, shares))


def last_heard(case: Case, stored: dict[str, Any] | None) -> tuple[float, str]:
    """When the gate that waits the longest heard of what it needs, or the stage began, and what
    it waits for: no gate may pass on what it heard before it fell silent."""
    heard = (stored or {}).get("heard", {})
    needed = [
        heard_key(gate.metric, system)
        for gate in case.gates
        if case.stage.kind in gate.stages
        for system in kinds()[gate.kind].needs
    ]
    newest, what = min(((heard.get(key, 0.0), key) for key in needed), default=(0.0, ""))
    return max(newest, case.state.entered_at), what


def _silence(case: Case, stored: dict[str, Any] | None) -> str:
    """The sentence for missing evidence past the plan's limit; empty while data flow."""
    if case.stage.work or case.state.phase in TERMINAL:
        return ""
    heard, what = last_heard(case, stored)
    silent = case.context.timestamp - heard
    if silent <= case.plan.judgement.no_data_after:
        return ""
    return (
        f"no evidence of {what} has arrived for {silent / 60:.0f} minutes; is the recorder running?"
    )

"""Assess: what the evidence says about the present stage, without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from switchover.engine.checklist import missing
from switchover.engine.collect import at_stage
from switchover.engine.context import Case
from switchover.engine.drills import undrilled
from switchover.engine.freeze import said, stops
from switchover.engine.group import standing
from switchover.engine.losses import Losses, losses
from switchover.engine.misrecorded import misrecorded
from switchover.engine.proxies import astray, measured
from switchover.engine.scheduled import spent
from switchover.engine.sources import told_by, unreadable
from switchover.engine.targets import standing_in_the_way, target_readings
from switchover.engine.triggers import firing, holding, trigger_readings
from switchover.judge import rollout
from switchover.judge.rollout import Evidence
from switchover.judge.silence import awaited, heard_key, silent_words
from switchover.judge.trigger import TriggerReading
from switchover.judge.verdict import StageReading, Verdict
from switchover.machine.action import Action
from switchover.machine.decide import Facts, decide
from switchover.machine.state import TERMINAL
from switchover.plan.calendar import stopped
from switchover.plan.runs import SCHEDULE
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


def facts(
    case: Case,
    shares: Sequence[MeasuredShare] | None = None,
    *,
    actor: str = "",
    explain: bool = True,
    triggers: Sequence[TriggerReading] | None = None,
) -> Facts:
    """Everything beside the state that a decision needs, read now unless it is given, as
    ``shares`` and how the ``triggers`` stand; ``actor`` is who would act, as the schedule may do
    less than people. Without ``explain`` the search for causes is left out, which changes words
    and no decision."""
    judged = not case.stage.work and case.watched
    stored = _stored(case) if judged else None
    policy, group = case.plan.approvals, case.plan.group
    others = standing(case)
    silence = _silence(case, stored)
    failing = unreadable(case, stored)
    reading = _reading(case, stored) if judged else None
    undecided = reading is not None and reading.verdict is Verdict.INSUFFICIENT_EVIDENCE
    goes_back = bool(silence) and case.plan.judgement.no_data == "rollback"
    if failing is not None and failing.overdue:
        silence = f"{failing.text}; {silence}" if silence else failing.text
        goes_back = goes_back or failing.goes_back
    blocked, blocked_until = _blocked(case)
    triggers = trigger_readings(case, stored) if triggers is None else triggers
    red_trigger, red = firing(triggers)
    return Facts(
        now=case.context.timestamp,
        reading=reading,
        blocked=blocked,
        blocked_until=blocked_until,
        spent=spent(case) if actor == SCHEDULE else "",
        silence=silence,
        astray=astray(case, measured(case) if shares is None else shares),
        unreadable=failing.text if failing else "",
        misrecorded=misrecorded(case) if undecided and explain else "",
        lost=_lost(case, stored),
        alert=standing_in_the_way(case, target_readings(case, stored)),
        automatic_rollback=case.plan.rollback.automatic,
        rollback_on_silence=goes_back,
        on_expiry=policy.on_expiry if policy else "hold",
        checklist=missing(case, _stored(case) if not judged and case.plan.checklist else stored),
        group=others.awaited,
        deserted=others.deserted,
        on_desertion=group.on_failure if group else "hold",
        evidence_max_age=policy.evidence_max_age if policy else inf,
        red=red,
        red_trigger=red_trigger,
        amber=holding(triggers),
        drill=undrilled(case),
    )


def lost(case: Case, stored: dict[str, Any] | None) -> Losses:
    """What was lost of the present stage's evidence."""
    return losses(at_stage(case, stored).get("recorders", {}), case.context.timestamp)


def _lost(case: Case, stored: dict[str, Any] | None) -> str:
    """The sentence for more losses than the plan allows; empty while there are none."""
    judgement = case.plan.judgement
    if judgement.lost == "note" or case.stage.work:
        return ""
    found = lost(case, stored)
    allowed = f"{judgement.lost_at_most:.3g} allowed"
    return f"{found.text}; {allowed}" if found.share > judgement.lost_at_most else ""


def _blocked(case: Case) -> tuple[str, float | None]:
    """What keeps every step back now, people's stops before the plan's calendar, and when all of
    it has ended; that is None where nobody knows."""
    zone = ZoneInfo(case.plan.schedule.timezone)
    ends, sentences = [], []
    for stop in stops(case):
        sentences.append(said(stop, zone))
        ends.append(stop.until)
    if planned := stopped(case.plan.schedule, case.context.clock.now()):
        sentences.append(planned.sentence(zone))
        ends.append(planned.until)
    known = [end.timestamp() for end in ends if end is not None]
    return "; ".join(sentences), max(known) if known and len(known) == len(ends) else None


def due(case: Case, shares: Sequence[MeasuredShare] | None = None, *, actor: str = "") -> Action:
    """What is due now; the same answer for ``advance``, ``monitor`` and ``why``."""
    return decide(case.state, case.stages, facts(case, shares, actor=actor))


def last_heard(case: Case, stored: dict[str, Any] | None) -> tuple[float, str]:
    """When the gate that waits the longest heard of what it needs, or the stage began, and what
    it waits for: no gate may pass on what it heard before it fell silent. What a source can't
    tell now is not silent: that has limits of its own."""
    failing = unreadable(case, stored)
    untold = {heard_key(*pair) for pair in failing.heard} if failing else set()
    heard = (stored or {}).get("heard", {})
    needed = awaited(case.gates, case.stage.kind)
    waiting = [(heard.get(key, 0.0), key) for key in needed if key not in untold]
    newest, what = min(waiting, default=(case.context.timestamp if untold else 0.0, ""))
    return max(newest, case.state.entered_at), what


def absent_since(case: Case, stored: dict[str, Any] | None) -> float:
    """When what is missing now was there last; people are told of each absence once."""
    failing = unreadable(case, stored)
    heard, _ = last_heard(case, stored)
    return min(heard, failing.since) if failing is not None and failing.overdue else heard


def _silence(case: Case, stored: dict[str, Any] | None) -> str:
    """The sentence for missing evidence past the plan's limit; empty while data flow."""
    if case.stage.work or case.state.phase in TERMINAL:
        return ""
    heard, what = last_heard(case, stored)
    silent = case.context.timestamp - heard
    if silent <= case.plan.judgement.no_data_after:
        return ""
    source = told_by(case.plan, what)
    if source:
        return silent_words(what, silent, f"source {source} answers, and counts nothing new")
    return silent_words(what, silent)

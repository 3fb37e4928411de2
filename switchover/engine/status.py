"""Status, why and history: what people ask about a migration. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from switchover.clock import iso
from switchover.engine.advance import action_name
from switchover.engine.assess import assess, due, lost
from switchover.engine.checklist import checklist
from switchover.engine.compare import present
from switchover.engine.context import Case, Context
from switchover.engine.drills import drill_history
from switchover.engine.freeze import said, stops
from switchover.engine.proxies import measured
from switchover.engine.quorum import missing_votes
from switchover.engine.rollback_picture import rollback_picture
from switchover.engine.sources import standing
from switchover.engine.targets import target_readings
from switchover.engine.triggers import trigger_readings
from switchover.engine.waiting import explain
from switchover.engine.watchers import watched_by
from switchover.machine.action import Wait
from switchover.machine.state import Items
from switchover.plan.calendar import next_run
from switchover.ports import MeasuredShare


def status(context: Context, migration: str) -> dict[str, Any]:
    """Everything about a migration as one JSON document."""
    case = context.open(migration)
    state = case.state
    reading = None if state.stage >= len(case.stages) else assess(case)
    stored = context.ledger.evidence(migration)
    shares = measured(case)
    return {
        "migration": migration,
        "title": case.plan.title,
        "phase": state.phase.value,
        "stage": case.stage.title,
        "mode": state.mode,
        "split": state.split / 100,
        "revision": state.revision,
        "epoch": state.epoch,
        "attempt": state.attempt,
        "entered_at": iso(state.entered_at),
        "not_before": iso(state.not_before),
        "approval": _approval(case),
        "incident": state.incident or None,
        "reason": state.reason or None,
        "items": _items(state.items),
        "reading": reading.to_dict() if reading else None,
        "evidence_until": iso(stored["last_at"]) if stored and stored["last_at"] else None,
        "sources": [
            {**feed, "read_until": feed["read_until"] and iso(feed["read_until"]),
             "failing_since": feed["failing_since"] and iso(feed["failing_since"])}
            for feed in standing(stored)
        ],
        "losses": _losses(case, stored),
        "targets": [reading.to_dict() for reading in target_readings(case, stored)],
        "triggers": [reading.to_dict() for reading in trigger_readings(case, stored)],
        "alerts": [
            {"target": alert.target, "system": alert.system, "since": iso(alert.at),
             "text": alert.text}
            for alert in state.alerts
        ],
        "comparison": present(case) or None,
        "routers": [
            {"router": ack.router, "epoch": ack.epoch, "at": iso(ack.at)}
            for ack in context.routing.acknowledgements(migration)
        ],
        "guards": watched_by(context.guards, migration) if context.guards else None,
        "proxies": [
            {"proxy": found.proxy, "fault": found.fault or None,
             "split": None if found.share is None else found.share * 100}
            for found in shares
        ],
        "drills": drill_history(context.ledger.entries(migration)),
        "rollback": rollback_picture(case),
        "no_return": state.no_return,
        "group": state.group or None,
        "checklist": [item.to_dict() for item in checklist(case, stored)],
        "stages": [
            {"title": stage.title, "mode": stage.mode, "split": stage.split / 100,
             "approval": stage.approval, "bake": stage.bake,
             "reversibility": stage.reversibility, "compensation": stage.compensation or None,
             "place": _place(stage.index, state.stage)}
            for stage in case.stages
        ],
        "spool": [
            {"order": order.halt.id, "actor": order.halt.actor, "reason": order.halt.reason,
             "at": iso(order.halt.at)}
            for order in (context.spool.orders(migration) if context.spool else ())
        ],
        "frozen": [said(stop, ZoneInfo(case.plan.schedule.timezone)) for stop in stops(case)],
        "why": _why(case, shares)["sentence"],
    }  # fmt: skip


def why(context: Context, migration: str) -> dict[str, Any]:
    """What a migration waits for, in one sentence, and what unblocks it."""
    case = context.open(migration)
    return _why(case, measured(case))


def _why(case: Case, shares: Sequence[MeasuredShare]) -> dict[str, Any]:
    action = due(case, shares)
    until = action.until if isinstance(action, Wait) else None
    run = next_run(case.plan.schedule, case.context.clock.now())
    return {
        "migration": case.state.migration,
        "waiting_for": action.code if isinstance(action, Wait) else action_name(action),
        "until": iso(until) if until else None,
        "next_run": iso(run.timestamp()) if run else None,
        "sentence": explain(case, action),
    }


def _losses(case: Case, stored: dict[str, Any] | None) -> dict[str, Any]:
    """What did not arrive of the present stage, or came late."""
    found = lost(case, stored)
    late = (stored or {}).get("late", {})
    return {
        "seen": found.seen,
        "lost": found.lost,
        "unsigned": found.unsigned,
        "late": {name: late.get(name, 0) for name in ("earlier_stage", "left_out")},
        "text": found.text or None,
    }


def _approval(case: Case) -> dict[str, Any] | None:
    approval = case.state.approval
    if approval is None:
        return None
    return {
        "id": approval.id,
        "status": approval.status,
        "evidence": approval.evidence,
        "requested_at": iso(approval.requested_at),
        "expires_at": iso(approval.expires_at),
        "approver": approval.approver or None,
        "votes": [
            {"approver": vote.approver, "at": iso(vote.at), "via": vote.via,
             "identity": vote.identity, "reason": vote.reason or None}
            for vote in approval.votes
        ],
        "missing": missing_votes(case),
    }  # fmt: skip


def _items(items: Items | None) -> dict[str, Any] | None:
    """What is on record about work items; the same finding is not written down twice."""
    if items is None:
        return None
    return {"at": iso(items.at), "disagreements": items.disagreements, "summary": items.summary}


def _place(index: int, current: int) -> str:
    return "done" if index < current else "now" if index == current else "ahead"

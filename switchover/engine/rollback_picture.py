"""How the last rollback stands, in one look: its levels, its steps and its waves, with times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchover.clock import iso
from switchover.engine.context import Case
from switchover.engine.rollback_progress import Progress
from switchover.engine.rollback_standing import StepsOutcome, opened, outcome_of
from switchover.errors import InputError
from switchover.machine.event import WaveValidated
from switchover.machine.inquiry import inquiry_of
from switchover.plan.rollback_steps import LEVELS


def rollback_picture(case: Case) -> dict[str, Any] | None:
    """The rollback of the incident that the migration stands at, as JSON; None where it has none.

    A level is ``running``, ``waits``, ``done``, ``failed`` (it led to the next one) or ``frozen``:
    then people are needed. A wave is ``passed`` or ``failed``, or else ``waits`` for its time, is
    ``asked`` until its deadline, and ``overdue`` after that.
    """
    incident = case.state.incident
    if not incident:
        return None
    try:
        found = opened(case, incident)
    except InputError:
        return None  # past the point of no return: nothing went back
    outcome = outcome_of(case, incident)
    inquiry = inquiry_of(case.state.inquiries, incident)
    return {
        "incident": incident,
        "state": inquiry.state if inquiry else None,
        "critical": inquiry.critical if inquiry else None,
        "level": outcome.level,
        "component": found.component or None,
        "at": iso(found.at),
        "levels": [_level(found, outcome, level) for level in LEVELS if level in found.levels],
        "steps": list(outcome.rows),
        "waves": _waves(case, incident),
        "frozen": outcome.frozen or None,
        "over": outcome.over,
        "sentence": outcome.sentence,
    }


def _level(found: Progress, outcome: StepsOutcome, level: str) -> dict[str, Any]:
    rows = [row for row in outcome.rows if row["level"] == level]
    began = [row["began"] for row in rows if row["began"]]
    ended = [row["ended"] for row in rows if row["ended"]]
    state = _level_state(found, outcome, level, [row["state"] for row in rows])
    over = state in ("done", "failed")
    return {
        "level": level, "state": state, "began": min(began, default=None),
        "ended": max(ended, default=None) if over else None,
        "steps": len(rows), "done": sum(row["state"] in ("done", "settled") for row in rows),
    }  # fmt: skip


def _level_state(found: Progress, outcome: StepsOutcome, level: str, states: Sequence[str]) -> str:
    if "running" in states:
        return "running"
    last = level == found.level
    if outcome.frozen and last:
        return "frozen"
    if not last and any(state in ("failed", "unknown", "left out") for state in states):
        return "failed"
    return "waits" if "waits" in states else "done"


def _waves(case: Case, incident: str) -> list[dict[str, Any]]:
    inquiry = inquiry_of(case.state.inquiries, incident)
    if inquiry is None:
        return []
    on_record = {
        entry.payload["wave"]: entry.payload
        for entry in case.context.ledger.entries(case.state.migration)
        if entry.kind == WaveValidated.kind and entry.payload["incident"] == incident
    }
    now, rows = case.context.timestamp, []
    for wave in case.waves:
        if wave.name not in inquiry.waves:
            continue
        begins, ends = inquiry.at + wave.after, inquiry.at + wave.within
        known = on_record.get(wave.name)
        left = "waits" if now < begins else "asked" if now < ends else "overdue"
        rows.append({
            "wave": wave.name,
            "state": left if known is None else "passed" if known["ok"] else "failed",
            "begins": iso(begins),
            "deadline": iso(ends),
            "at": iso(known["at"]) if known else None,
            "probes": len(wave.probes),
            "summary": str(known["summary"]) if known else "",
        })  # fmt: skip
    return rows

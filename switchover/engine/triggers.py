"""Triggers: what their windows and probes say now of the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchover.engine.context import Case
from switchover.judge import target
from switchover.judge.block import Block
from switchover.judge.trigger import Color, TriggerReading, TriggerSpec, read_metric, read_probe
from switchover.machine.state import RED_ALERT
from switchover.plan.catalogue import AGREEMENT, NOISE


def trigger_windows(
    case: Case, document: dict[str, Any], blocks: Sequence[Block]
) -> dict[str, Any]:
    """The windows of the evidence ``document`` with fresh blocks, by trigger."""
    known, now = document.get("triggers", {}), case.context.timestamp
    return {
        spec.name: target.observe(spec.window, known.get(spec.name, {}), blocks, now)
        for spec in case.triggers
        if spec.window is not None
    }


def trigger_readings(case: Case, stored: dict[str, Any] | None) -> tuple[TriggerReading, ...]:
    """Every trigger as it stands now; none in a stage without traffic, where the candidate can
    hurt nobody."""
    if case.stage.work or not case.watched:
        return ()
    current = stored is not None and stored["attempt"] == case.state.attempt
    document = stored if stored is not None and current else {}
    alerted = {alert.target for alert in case.state.alerts}
    return tuple(
        _reading(case, spec, document, alert_name(spec.color, spec.name) in alerted)
        for spec in case.triggers
    )


def alert_name(color: Color, name: str) -> str:
    """What the alert of a trigger is called, so that no target is taken for one."""
    return RED_ALERT + name if color == "red" else f"{color} {name}"


def firing(readings: Sequence[TriggerReading]) -> tuple[str, str]:
    """The name of the first RED trigger that fires, and what all of them say; empty if none."""
    red = [each for each in readings if each.color == "red" and each.level == "fires"]
    return (red[0].trigger, "; ".join(each.sentence for each in red)) if red else ("", "")


def holding(readings: Sequence[TriggerReading]) -> str:
    """Why AMBER allows no step now; empty when it does."""
    words = [each.sentence for each in readings if each.color == "amber" and each.level == "fires"]
    return f"AMBER: {'; '.join(words)}" if words else ""


def _reading(
    case: Case, spec: TriggerSpec, document: dict[str, Any], alerted: bool
) -> TriggerReading:
    now, since = case.context.timestamp, case.state.entered_at
    if spec.window is None:
        known = document.get("probes", {}).get(spec.name, {})
        return read_probe(spec, known, now, since=since, alerted=alerted)
    kept = document.get("triggers", {}).get(spec.name, {})
    return read_metric(spec, kept, _system(spec.window), now, since=since, alerted=alerted)


def _system(spec: target.TargetSpec) -> str:
    return "pair" if spec.metric in (AGREEMENT, NOISE) else "candidate"

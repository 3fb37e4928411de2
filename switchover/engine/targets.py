"""Targets: what the rolling windows say of whoever serves, and telling people of it once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import alert_effects
from switchover.judge import target
from switchover.judge.block import Block
from switchover.judge.target import TargetReading, TargetSpec
from switchover.machine.event import AlertCleared, AlertRaised
from switchover.machine.state import TERMINAL
from switchover.plan.catalogue import AGREEMENT, NOISE
from switchover.ports import Effect

_FULL = 10_000


def observed(case: Case, document: dict[str, Any], blocks: Sequence[Block]) -> dict[str, Any]:
    """The windows of the evidence ``document`` with fresh blocks, by target."""
    known, now = document.get("targets", {}), case.context.timestamp
    return {
        spec.name: target.observe(spec, known.get(spec.name, {}), blocks, now)
        for spec in case.targets
    }


def target_readings(case: Case, stored: dict[str, Any] | None) -> tuple[TargetReading, ...]:
    """Every target for each system that serves, then for those that only answer beside it."""
    readings = []
    current = stored is not None and stored["attempt"] == case.state.attempt
    windows = stored.get("targets", {}) if stored is not None and current else {}
    open_alerts = {(alert.target, alert.system) for alert in case.state.alerts}
    for spec in case.targets:
        kept = windows.get(spec.name, {})
        serving = _serving(case, spec)
        for system in (*serving, *sorted(set(kept) - set(serving))):
            readings.append(
                target.read(
                    spec,
                    kept,
                    system,
                    case.context.timestamp,
                    serves=system in serving,
                    alerted=(spec.name, system) in open_alerts,
                )
            )
    return tuple(readings)


def standing_in_the_way(case: Case, readings: Sequence[TargetReading]) -> str:
    """Why a target with ``hold`` allows no step now; empty when none stands in the way."""
    holding = {spec.name for spec in case.targets if spec.hold}
    stops = ("alert",) if case.stage.work else ("alert", "no data")
    words = [
        reading.sentence
        for reading in readings
        if reading.target in holding and reading.serves and reading.level in stops
    ]
    return f"a target holds: {'; '.join(words)}" if words else ""


def tell(context: Context, case: Case, *, actor: str) -> None:
    """Write down alerts that begin or end, each once, with a notice for people."""
    if not case.targets or case.state.phase in TERMINAL:
        return
    stored = context.ledger.evidence(case.state.migration)
    for reading in target_readings(case, stored):
        if _change(case, reading) is not None:
            persist(context, case.state.migration, partial(_told, reading=reading), actor=actor)


def _told(
    now: Case, reading: TargetReading
) -> tuple[AlertRaised | AlertCleared, Sequence[Effect]] | None:
    event = None if now.state.phase in TERMINAL else _change(now, reading)
    return None if event is None else (event, alert_effects(now, event))


def _change(case: Case, reading: TargetReading) -> AlertRaised | AlertCleared | None:
    """The event that this reading makes of the alerts that are open now."""
    at, who = case.context.timestamp, (reading.target, reading.system)
    is_open = any((alert.target, alert.system) == who for alert in case.state.alerts)
    if is_open and not reading.serves:
        text = f"{reading.target} of {reading.system}: it serves nobody any more"
        return AlertCleared(*who, at, text, reading.to_dict())
    if is_open and reading.clears:
        return AlertCleared(*who, at, reading.sentence, reading.to_dict())
    if not is_open and reading.serves and reading.raises:
        return AlertRaised(*who, at, reading.sentence, reading.to_dict())
    return None


def _serving(case: Case, spec: TargetSpec) -> tuple[str, ...]:
    """The systems whose answers people get now; comparisons belong to both."""
    if spec.metric in (AGREEMENT, NOISE):
        return () if case.stage.work else ("pair",)
    split = case.state.split
    return ("legacy",) * (split < _FULL) + ("candidate",) * (split > 0)

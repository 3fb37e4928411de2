"""What comes after the rollback, as parts of the report: validation, recovery, criteria."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from switchover.incidents.findings import cell, one_line
from switchover.incidents.record import Incident
from switchover.incidents.wording import spell_moment


def validation_part(incident: Incident) -> str:
    """Each wave with its probes and what they found; empty where the plan has none."""
    waves = incident.history.waves
    awaited = [w for w in incident.inquiry.awaited if w not in {wave.wave for wave in waves}]
    if not waves and not awaited:
        return ""
    rows = [
        f"| {one_line(wave.wave)} | {cell(str(probe.get('name', '')))} "
        f"| {'passed' if probe.get('ok') else 'FAILED'} "
        f"| {cell(str(probe.get('summary', '')))} | {_moment(wave.at)} |"
        for wave in waves
        for probe in wave.results or [{"name": "-", "ok": wave.ok, "summary": wave.summary}]
    ]
    rows += [f"| {one_line(wave)} | | awaited | | |" for wave in awaited]
    head = ["| Wave | Probe | Result | What it found | At (UTC) |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def recovery_part(incident: Incident) -> str:
    """The way to another attempt with its dates; empty where nothing is to be tried again."""
    if incident.stranded or incident.component or not incident.recovery:
        return ""
    rows = []
    for step in incident.recovery:
        end = f" to {step.until}" if step.until and step.until != step.since else ""
        since = f"{step.since}{end}" if step.until else f"from {step.since}"
        rows.append(f"| {step.name} | {step.days} | {since} | {step.what} |")
    head = [f"| Step | When | Date ({one_line(incident.zone)}) | What |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def criteria_part(incident: Incident) -> str:
    """The criteria with who ticked them; `switchover start` is refused until all are."""
    criteria, ticks = incident.inquiry.criteria, incident.ticks
    if not criteria:
        return ""
    lines = []
    for name, text in criteria:
        tick = ticks.get(name)
        mark = "x" if tick else " "
        line = f"- [{mark}] `{name}`: {one_line(text)}{_failed(incident, name)}"
        if tick is not None:
            note = f": {one_line(tick.note)}" if tick.note else ""
            line += f" ({one_line(tick.by)}, {_moment(tick.at)}{note})"
        lines.append(line)
    if incident.inquiry.unticked:
        command = f"switchover incident tick {one_line(incident.id)} ID --note WHY"
        until = "Until all are, and the analysis is written, `switchover start` is refused."
        lines += ["", f"Tick one: `{command}`. {until}"]
    return "\n".join(lines)


def _failed(incident: Incident, criterion: str) -> str:
    """Which gates to look at, beside the criterion that speaks of them."""
    gates = [f"`{one_line(str(gate.get('gate', '')))}`" for gate in incident.failing]
    return f" (it failed {', '.join(gates)})" if gates and criterion == "shadow-validated" else ""


def _moment(at: float) -> str:
    return spell_moment(datetime.fromtimestamp(at, UTC))


def findings_json(incident: Incident) -> Mapping[str, Any]:
    """What people wrote, for programs."""
    values = {name: incident.history.now(name) for name in incident.history.values}
    return {**values, "actions": list(incident.history.now("actions"))}

"""The picture of an incident out of the ledger; for the report's folder and for artifacts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from switchover.incidents.record import Incident, attempt_of
from switchover.judge.gate import GateSpec
from switchover.judge.trigger import TriggerSpec
from switchover.plan.load import restore_plan
from switchover.plan.spec import Plan
from switchover.plan.stages import compile_gates
from switchover.plan.usual_triggers import compile_triggers
from switchover.ports import Ledger

if TYPE_CHECKING:
    from switchover.reporting.incident_plot import Fired

#: What a rollback by a RED trigger is called, before the trigger's name.
_RED = "red: "


def picture_name(incident: Incident) -> str:
    """The file's name beside the report: the incident's id, so that a renamed report finds it."""
    return f"{incident.id}.png"


def draw_incident(ledger: Ledger, incident: Incident) -> bytes:
    """The metric that fired, or the first that a gate read; the split, and the trigger."""
    # Only now, as few who wire anything draw.
    from switchover.reporting.incident_plot import AFTER, BEFORE, incident_plot, metric_series
    from switchover.reporting.tables import stage_changes

    fired = what_fired(restore_plan(ledger.read(incident.migration).plan.document), incident)
    at = incident.opened_at.timestamp()
    since, until = at - BEFORE, at + AFTER
    blocks = ledger.blocks(incident.migration, since, until) if fired.metric else ()
    seconds = incident.rollback_seconds
    return incident_plot(
        metric_series(blocks, fired, since, until),
        fired,
        stages=stage_changes(attempt_of(ledger.entries(incident.migration), incident.id)),
        trigger_at=at,
        trigger=incident.trigger,
        turned_at=at + seconds if seconds is not None and incident.routers else None,
        title=f"{incident.title}: {fired.title or 'the split'}",
    )


def what_fired(plan: Plan, incident: Incident) -> Fired:
    """A RED trigger by its name; else the gate that asked for the rollback most, or was read
    first. Its reading names it by the plan's name."""
    from switchover.reporting.incident_plot import Fired

    if incident.trigger.startswith(_RED):
        name = incident.trigger.removeprefix(_RED)
        found = next((each for each in compile_triggers(plan) if each.name == name), None)
        if found is not None:
            return _of_trigger(found, incident)
    names = [str(gate.get("gate", "")) for gate in incident.failing or incident.readings]
    gates = {gate.name: gate for gate in compile_gates(plan)}
    gate = next((gates[name] for name in names if name in gates), None)
    return Fired() if gate is None else _of_gate(gate)


def _of_trigger(trigger: TriggerSpec, incident: Incident) -> Fired:
    from switchover.reporting.incident_plot import Fired

    window = trigger.window
    if window is None:
        # Its answers are judged when they come; no block tells of them.
        return Fired(name=trigger.name, said=f"a probe fired: {incident.reason}")
    limit = window.alert
    if window.kind == "proportion" and window.at_least:
        limit = 1.0 - limit
    reads = "share" if window.kind == "proportion" else window.kind
    return Fired(
        metric=window.metric,
        name=trigger.name,
        reads="events" if reads == "count" else reads,
        q=window.quantile,
        limit=None if trigger.ratio is not None else limit,
        ratio=trigger.ratio,
        seconds=window.seconds,
    )


def _of_gate(gate: GateSpec) -> Fired:
    from switchover.reporting.incident_plot import Fired

    drawn = Fired(metric=gate.metric, name=gate.name, seconds=gate.seconds)
    match gate.kind:
        case "proportion":
            return replace(drawn, limit=gate.limit)
        case "quantile":
            return replace(drawn, reads="quantile", q=gate.quantile, limit=gate.limit)
        case "mean":
            return replace(drawn, reads="mean", limit=gate.limit)
        case "count":
            return replace(drawn, reads="events", limit=gate.limit)
        case "relative_rate":
            return replace(drawn, ratio=gate.limit)
        case "relative_quantile":
            return replace(drawn, reads="quantile", q=gate.quantile, ratio=gate.limit)
        case "memory":
            return replace(drawn, reads="mean", ratio=1.0 + gate.limit)
        case "drift":
            return replace(drawn, reads="mean")
        case "sample_ratio":
            return replace(drawn, reads="observations")
    return drawn

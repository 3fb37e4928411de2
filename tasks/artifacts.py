"""Task that publishes what people want to look at in the Prefect UI (P11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import task
from prefect.artifacts import (
    Artifact,
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
)

from switchover.engine.ahead import read_ahead
from switchover.engine.assess import assess
from switchover.engine.checklist import checklist
from switchover.engine.compare import comparison
from switchover.engine.context import Case
from switchover.engine.mismatches import disagreements
from switchover.engine.rollback_picture import rollback_picture
from switchover.engine.triggers import trigger_readings
from switchover.incidents.markdown import render
from switchover.incidents.record import incident_of
from switchover.incidents.redaction import redact, redact_all
from switchover.judge.verdict import StageReading
from switchover.machine.state import Phase
from switchover.plan.catalogue import AGREEMENT
from switchover.plan.load import stored_plan
from switchover.ports import Entry
from switchover.reporting import markdown, plots, tables
from switchover.reporting.comparison import comparison_markdown
from switchover.reporting.comparison_plot import comparison_plot
from switchover.reporting.rollback import rollback_markdown
from switchover.reporting.runbook import runbook
from switchover.wiring.incident_picture import draw_incident
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def publish(migration: str) -> bool:
    """Gate verdicts, agreement, comparison, the incident if there is one, progress and stages.

    Drawing takes longer than most steps, so nothing is done when nothing has changed; gives
    whether it was. The stages come last: they tell the next run that all is there.
    """
    # One look at the ledger instead of three: mostly there is nothing new to show.
    case = read_ahead(engine(), [migration]).open(migration)
    reading = assess(case)
    moment = _moment(case, reading)
    newest = Artifact.get(f"{migration}-stages")
    if newest is not None and (newest.description or "").endswith(moment):
        return False
    plan, entries = case.record.plan, engine().ledger.entries(migration)
    rows = tables.stage_rows(case.stages, entries)
    shown = _numbers(case, reading, entries)
    if shown is not None:
        create_markdown_artifact(
            key=f"{migration}-gates",
            markdown=markdown.verdict_markdown(shown[1], alpha_promote=case.rules.alpha_promote),
            description=shown[0],
        )
    _agreement(case, entries)
    _mismatches(case)
    _comparison(case)
    _checklist(case)
    _triggers(case)
    _incident(case, entries)
    _rollback(case)
    create_progress_artifact(
        key=f"{migration}-progress",
        progress=tables.progress(rows),
        description=f"Progress of {case.plan.title}",
    )
    create_markdown_artifact(
        key=f"{migration}-runbook",
        markdown=runbook(stored_plan(plan.document, plan.directory, plan.digest)),
        description=f"How {case.plan.title} is rolled back",
    )
    status = markdown.status_paragraph(case.plan.title, case.state, case.stages)
    create_markdown_artifact(
        key=f"{migration}-stages",
        markdown=f"{status}\n\n{markdown.stage_table(rows)}",
        description=f"Stages of {case.plan.title}, {moment}",
    )
    return True


def _moment(case: Case, reading: StageReading | None) -> str:
    """What the artifacts depend on, in words."""
    stored = case.context.ledger.evidence(case.state.migration)
    verdict = f", verdict {reading.verdict.value.replace('_', ' ')}" if reading is not None else ""
    blocks = stored["blocks"] if stored else 0
    return f"revision {case.state.revision}, {blocks} blocks of evidence{verdict}"


def _numbers(
    case: Case, reading: StageReading | None, entries: Sequence[Entry]
) -> tuple[str, Mapping[str, Any]] | None:
    """The gates to show, with a description: the present stage's, or those that led to it while
    it has no numbers of its own; None before any gate has judged."""
    if reading is not None and any(gate.n for gate in reading.gates):
        return f"Gates in {case.stage.title}", reading.to_dict()
    for entry in reversed(entries):
        if entry.kind == "started":
            return None
        if entry.kind == "stage_entered" and entry.payload["evidence"]:
            return f"Gates that let {entry.payload['title']} begin", entry.payload["evidence"]
    return None


def _incident(case: Case, entries: Sequence[Entry]) -> None:
    """The incident that the migration stands at, or the last one that nobody has closed: what
    happened, how it stands, what is open, and the metric that fired as a picture."""
    state, migration = case.state, case.state.migration
    unclosed = [inquiry.id for inquiry in state.inquiries if not inquiry.closed_by]
    stands = state.phase is Phase.ROLLED_BACK or state.stranded >= 0
    name = state.incident if stands else next(reversed(unclosed), "")
    if not name:
        return
    incident = incident_of(entries, case.record.plan.document, name)
    create_markdown_artifact(
        key=f"{migration}-incident",
        markdown=render(incident),
        description=f"Incident {name}: {incident.state}, {incident.severity}",
    )
    create_image_artifact(
        image_url=plots.data_uri(draw_incident(engine().ledger, incident)),
        key=f"{migration}-incident-plot",
        description=f"What fired, the split and the trigger of incident {name}",
    )


def _rollback(case: Case) -> None:
    """How far the steps and the validation of the last rollback are; only where there is one."""
    picture = rollback_picture(case)
    if picture is not None:
        create_markdown_artifact(
            key=f"{case.state.migration}-rollback",
            markdown=rollback_markdown(redact_all(picture)),
            description=f"Rollback of {case.plan.title}: {redact(picture['sentence'])}",
        )


def _mismatches(case: Case) -> None:
    """In which fields the systems disagree; only where disagreements were sampled."""
    migration = case.state.migration
    found = disagreements(engine(), migration)
    if found.fields:
        create_markdown_artifact(
            key=f"{migration}-mismatches",
            markdown=markdown.mismatch_table(found.fields, found.samples),
            description=f"Fields that disagree, {case.plan.title}",
        )


def _checklist(case: Case) -> None:
    """What must be done before the candidate gets traffic; only where the plan has a list."""
    migration = case.state.migration
    # Not from what was read ahead: a rehearsal may be another migration's.
    items = checklist(engine().open(migration), engine().ledger.evidence(migration))
    if items:
        rows = [
            [item.id, "✓ done" if item.done else "✗ missing", item.text, item.found,
             "" if item.done else item.advice]
            for item in items
        ]  # fmt: skip
        head = ["Item", "", "What", "Found", "To do"]
        create_markdown_artifact(
            key=f"{migration}-checklist",
            markdown=markdown.markdown_table(head, "lllll", rows),
            description=f"Checklist of {case.plan.title}",
        )


def _triggers(case: Case) -> None:
    """How the triggers stand; only where the plan has some, in a stage with traffic."""
    migration = case.state.migration
    readings = trigger_readings(case, case.context.ledger.evidence(migration))
    if readings:
        rows = [[each.color.upper(), each.trigger, each.level, each.sentence] for each in readings]
        create_markdown_artifact(
            key=f"{migration}-triggers",
            markdown=markdown.markdown_table(["", "Trigger", "Level", "Seen"], "llll", rows),
            description=f"Triggers of {case.plan.title}",
        )


def _comparison(case: Case) -> None:
    """Both systems side by side, as tables and a picture; only where both did something."""
    document = comparison(case)
    if not document["stages"]:
        return
    migration, title = case.state.migration, case.plan.title
    create_markdown_artifact(
        key=f"{migration}-comparison",
        markdown=comparison_markdown(document),
        description=f"Legacy and candidate compared, {title}",
    )
    create_image_artifact(
        image_url=plots.data_uri(comparison_plot(document["overall"], title=title)),
        key=f"{migration}-comparison-plot",
        description=f"Candidate against legacy in all stages, {title}",
    )


def _agreement(case: Case, entries: Sequence[Entry]) -> None:
    """The share of equal answers over time, as a picture; only where pairs were compared."""
    migration = case.state.migration
    points = engine().ledger.rates(migration, AGREEMENT)
    gate = next((gate for gate in case.gates if gate.metric == AGREEMENT), None)
    if not points or gate is None:
        return
    png = plots.agreement_plot(points, 1 - gate.limit, tables.stage_changes(entries))
    create_image_artifact(
        image_url=plots.data_uri(png),
        key=f"{migration}-agreement",
        description=f"Agreement of both systems over time, {case.plan.title}",
    )

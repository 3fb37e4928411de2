"""Task that publishes what people want to look at in the Prefect UI (P11)."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import (
    Artifact,
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
)

from switchover.engine.assess import assess
from switchover.engine.context import Case
from switchover.incidents.markdown import render
from switchover.incidents.record import incident_of
from switchover.judge.verdict import StageReading
from switchover.machine.state import Phase
from switchover.ports import Entry
from switchover.reporting import markdown, plots, tables
from tasks.engine import PATIENT, engine

AGREEMENT = "prediction_agreement_rate"


@task(**PATIENT)
def publish(migration: str) -> bool:
    """Gate verdicts, agreement over time, the incident if there is one, progress and stages.

    Drawing takes longer than most steps, so nothing is done when nothing has changed; gives
    whether it was. The stages come last: they tell the next run that all is there.
    """
    case = engine().open(migration)
    reading = assess(case)
    moment = _moment(case, reading)
    newest = Artifact.get(f"{migration}-stages")
    if newest is not None and (newest.description or "").endswith(moment):
        return False
    entries = engine().ledger.entries(migration)
    rows = tables.stage_rows(case.stages, entries)
    # In the last stage no gate judges any more: the numbers of the last step stay to be seen.
    if reading is not None and reading.gates and case.stage.kind != "complete":
        create_markdown_artifact(
            key=f"{migration}-gates",
            markdown=markdown.verdict_markdown(
                reading.to_dict(), alpha_promote=case.rules.alpha_promote
            ),
            description=f"Gates in {case.stage.title}",
        )
        _agreement(case, entries)
    if case.state.phase is Phase.ROLLED_BACK:
        incident = incident_of(entries, case.record.plan.document, case.state.incident)
        create_markdown_artifact(
            key=f"{migration}-incident",
            markdown=render(incident),
            description=f"Incident {case.state.incident}",
        )
    create_progress_artifact(
        key=f"{migration}-progress",
        progress=tables.progress(rows),
        description=f"Progress of {case.plan.title}",
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
    stored = engine().ledger.evidence(case.state.migration)
    verdict = f", verdict {reading.verdict.value}" if reading is not None else ""
    blocks = stored["blocks"] if stored else 0
    return f"revision {case.state.revision}, {blocks} blocks of evidence{verdict}"


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

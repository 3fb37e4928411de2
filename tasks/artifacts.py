"""Task that publishes what people want to look at in the Prefect UI (P11)."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
)

from switchover.engine.assess import assess
from switchover.engine.context import Case
from switchover.incidents.markdown import render
from switchover.incidents.record import incident_of
from switchover.machine.state import Phase
from switchover.ports import Entry
from switchover.reporting import markdown, plots, tables
from tasks.engine import PATIENT, engine

AGREEMENT = "prediction_agreement_rate"


@task(**PATIENT)
def publish(migration: str) -> None:
    """Stage table, gate verdicts, agreement over time, and the incident if there is one."""
    case = engine().open(migration)
    entries = engine().ledger.entries(migration)
    rows = tables.stage_rows(case.stages, entries)
    status = markdown.status_paragraph(case.plan.title, case.state, case.stages)
    create_markdown_artifact(
        key=f"{migration}-stages",
        markdown=f"{status}\n\n{markdown.stage_table(rows)}",
        description=f"Stages of {case.plan.title}",
    )
    create_progress_artifact(
        key=f"{migration}-progress",
        progress=tables.progress(rows),
        description=f"Progress of {case.plan.title}",
    )
    reading = assess(case)
    if reading is not None and reading.gates:
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

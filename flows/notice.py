"""Tell a stakeholder where a migration stands (K7)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.conclude import completed
from tasks.effects import perform_effects
from tasks.notices import tell_stakeholder


@flow(name="notice", flow_run_name="tell {stakeholder} about {migration}")
def notice(migration: str, stakeholder: str) -> State[dict[str, Any]]:
    """Send the notice of today, once.

    Args:
        migration: The migration's short name, as in its plan.
        stakeholder: Who is told, by the name under `notify.stakeholders`.
    """
    did, sentence, text = tell_stakeholder(migration, stakeholder)
    perform_effects()
    if text:
        create_markdown_artifact(
            key=f"{migration}-notice-{stakeholder}",
            markdown=text.replace("\n", "  \n"),
            description=f"What {stakeholder} was told about {migration}",
        )
    return completed(sentence, {"did": did, "sentence": sentence})

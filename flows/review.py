"""Look back at a completed migration: daily for a week, and once after a month (P14)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.conclude import completed
from tasks.effects import perform_effects
from tasks.notices import review_completed


@flow(name="review", flow_run_name="review {migration}")
def review(migration: str) -> State[dict[str, Any]]:
    """Write the review that is due, or say why there is none.

    Args:
        migration: The migration's short name, as in its plan.
    """
    did, sentence, text = review_completed(migration)
    perform_effects()
    if text:
        create_markdown_artifact(
            key=f"{migration}-review",
            markdown=text.replace("\n", "  \n"),
            description=f"Review of {migration}",
        )
    return completed(sentence, {"did": did, "sentence": sentence})

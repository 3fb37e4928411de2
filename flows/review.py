"""Look back at a completed migration: daily for a week, and once after a month (P14)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import told
from tasks.notices import review_completed


@flow(name="review", flow_run_name="review {migration}")
def review(migration: str) -> State[dict[str, Any]]:
    """Write the review that is due, or say why there is none.

    Args:
        migration: The migration's short name, as in its plan.
    """
    outcome = review_completed(migration)
    return told(outcome, f"{migration}-review", f"Review of {migration}")

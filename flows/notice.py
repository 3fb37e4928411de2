"""Tell a stakeholder where a migration stands (K7)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import told
from tasks.notices import tell_stakeholder


@flow(name="notice", flow_run_name="tell {stakeholder} about {migration}")
def notice(migration: str, stakeholder: str) -> State[dict[str, Any]]:
    """Send the notice of today, once.

    Args:
        migration: The migration's short name, as in its plan.
        stakeholder: Who is told, by the name under `notify.stakeholders`.
    """
    outcome = tell_stakeholder(migration, stakeholder)
    return told(
        outcome,
        f"{migration}-notice-{stakeholder}",
        f"What {stakeholder} was told about {migration}",
    )

"""Send all traffic back to legacy, by hand from the Prefect UI (P5)."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.conclude import conclude
from tasks.rollback import to_legacy


@flow(name="rollback", flow_run_name="roll back {migration}")
def rollback(migration: str, reason: str, actor: str) -> dict[str, Any]:
    """Roll back now. Nothing blocks it: no freeze window, hold or pending approval.

    Args:
        migration: The migration's short name, as in its plan.
        reason: Why, for the incident.
        actor: Who asks, for the record.
    """
    return conclude(migration, to_legacy(migration, actor, reason))

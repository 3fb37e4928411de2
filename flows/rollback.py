"""Send all traffic back to legacy, by hand from the Prefect UI (P5)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import completed, conclude
from tasks.rollback import to_legacy


@flow(name="rollback", flow_run_name="roll back {migration}")
def rollback(migration: str, reason: str, actor: str) -> State[dict[str, Any]]:
    """Roll back now. Nothing blocks it: no freeze window, hold or pending approval.

    Args:
        migration: The migration's short name, as in its plan.
        reason: Why, for the incident.
        actor: Who asks, for the record.
    """
    outcome = to_legacy(migration, actor, reason)
    if not outcome["recorded"]:
        # The ledger is down: there is nothing to show, and traffic is back already.
        return completed(outcome["sentence"], outcome)
    return conclude(migration, outcome)

"""Run every consumer's adapter over recorded candidate output (P4)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import conclude
from tasks.adapters import planned_consumers, record_adapters, validate_adapter
from tasks.step import prepare, step, what_is_due


@flow(name="adapter_validation", flow_run_name="adapters of {migration}")
def adapter_validation(migration: str, actor: str = "prefect") -> State[dict[str, Any]]:
    """Check each consumer's contract before the new format may reach anybody.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    prepare(migration)
    stage, action, reason = what_is_due(migration)
    if stage != "adapters" or action in ("wait", "nothing"):
        return conclude(migration, {"action": action, "did": False, "sentence": reason})
    if action == "work":
        futures = [
            validate_adapter.submit(migration, name) for name in planned_consumers(migration)
        ]
        record_adapters(migration, [future.result() for future in futures], actor)
    return conclude(migration, step(migration, actor))

"""Run every consumer's adapter over recorded candidate output (P4)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import conclude
from flows.runner import task_runner
from tasks.adapters import examine_part, planned_parts, record_adapters
from tasks.step import IDLE, step, what_is_due


@flow(name="adapter_validation", flow_run_name="adapters of {migration}", task_runner=task_runner())
def adapter_validation(migration: str, actor: str = "prefect") -> State[dict[str, Any]]:
    """Check each consumer's contract before the new format may reach anybody.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    stage, action, reason = what_is_due(migration, actor=actor)
    if stage != "adapters" or action in IDLE:
        return conclude(migration, {"action": action, "did": False, "sentence": reason})
    if action == "work":
        futures = {
            name: [examine_part.submit(migration, name, part) for part in parts]
            for name, parts in planned_parts(migration).items()
        }
        found = {name: [each.result() for each in parts] for name, parts in futures.items()}
        record_adapters(migration, found, actor)
    return conclude(migration, step(migration, actor))

"""Run the development-phase checks of both systems at the same time (P1)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.conclude import conclude
from tasks.checks import planned_checks, record_checks, run_check
from tasks.step import IDLE, step, what_is_due


@flow(name="parallel_checks", flow_run_name="checks of {migration}")
def parallel_checks(migration: str, actor: str = "prefect") -> State[dict[str, Any]]:
    """Run every check of the plan and record all results, also when one fails.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    stage, action, reason = what_is_due(migration, actor=actor)
    if stage != "checks" or action in IDLE:
        return conclude(migration, {"action": action, "did": False, "sentence": reason})
    if action == "work":
        futures = [run_check.submit(migration, name) for name in planned_checks(migration)]
        record_checks(migration, [future.result() for future in futures], actor)
    return conclude(migration, step(migration, actor))

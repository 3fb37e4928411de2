"""One canary increment at a time (P2)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.judged_step import judged_step
from flows.runner import task_runner


@flow(name="staged_canary", flow_run_name="canary of {migration}", task_runner=task_runner())
def staged_canary(migration: str, actor: str = "prefect") -> State[dict[str, Any]]:
    """Judge the present increment; then promote, ask, hold or roll back.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    return judged_step(migration, "canary", actor)

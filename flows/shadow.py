"""Compare both systems on real traffic while legacy serves."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.judged_step import judged_step
from flows.runner import task_runner


@flow(name="shadow", flow_run_name="shadow of {migration}", task_runner=task_runner())
def shadow(migration: str, actor: str = "prefect") -> State[dict[str, Any]]:
    """Judge the shadow comparison and go on when it is over and good.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    return judged_step(migration, "shadow", actor)

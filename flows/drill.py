"""Rehearse the way back by the plan's clock, and measure it (R7)."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.states import Failed

from flows.conclude import completed, conclude
from tasks.drill import rehearse, show_drills


@flow(name="drill", flow_run_name="drill {migration}")
def drill(migration: str, actor: str = "schedule") -> State[dict[str, Any]]:
    """Rehearse now. A drill that failed is a run that failed: somebody should look.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    outcome = rehearse(migration, actor)
    if not outcome["did"]:
        return completed(outcome["sentence"], outcome)
    show_drills(migration)
    ended = conclude(migration, outcome)
    return ended if outcome["ok"] else Failed(message=outcome["sentence"], data=outcome)

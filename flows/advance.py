"""The daily step: run the phase that is due, whichever it is (P7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import State, flow

from flows.adapter_validation import adapter_validation
from flows.conclude import completed, conclude
from flows.parallel_checks import parallel_checks
from flows.shadow import shadow
from flows.staged_canary import staged_canary
from tasks.step import is_started, what_is_due

#: Who asks when nobody does.
SCHEDULE = "schedule"

#: Stage kind -> what the flow of that phase does. It runs inside this run: a subflow run of
#: its own would cost a second (docs/decisions/0004) and show nothing more.
PHASES: dict[str, Callable[..., State[dict[str, Any]]]] = {
    "checks": parallel_checks.fn,
    "shadow": shadow.fn,
    "adapters": adapter_validation.fn,
    "canary": staged_canary.fn,
}


@flow(name="advance", flow_run_name="advance {migration}")
def advance(migration: str, actor: str = SCHEDULE) -> State[dict[str, Any]]:
    """Take the one step that is due, or say why there is none.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    if actor == SCHEDULE and not is_started(migration):
        # The schedule may be deployed long before the plan is started.
        sentence = f"{migration} has not been started; begin with: switchover start PLAN"
        return completed(sentence, {"action": "nothing", "did": False, "sentence": sentence})
    stage, action, reason = what_is_due(migration)
    if stage not in PHASES or action == "nothing":
        return conclude(migration, {"action": action, "did": False, "sentence": reason})
    return PHASES[stage](migration, actor)

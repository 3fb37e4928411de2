"""The daily step: run the phase that is due, whichever it is (P7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import State, flow

from flows.adapter_validation import adapter_validation
from flows.conclude import completed, conclude
from flows.judged_step import judged_step
from flows.parallel_checks import parallel_checks
from flows.runner import task_runner
from flows.shadow import shadow
from flows.staged_canary import staged_canary
from switchover.plan.runs import SCHEDULE
from tasks.conclusion import due_or_finish
from tasks.step import IDLE


def _beginning(migration: str, actor: str) -> State[dict[str, Any]]:
    """The way into a first stage with traffic; nothing is to be judged before it."""
    return judged_step(migration, "start", actor)


#: Stage kind -> what the flow of that phase does. It runs inside this run: a subflow run of
#: its own would cost a second (docs/decisions/0004) and show nothing more.
PHASES: dict[str, Callable[..., State[dict[str, Any]]]] = {
    "start": _beginning,
    "checks": parallel_checks.fn,
    "shadow": shadow.fn,
    "adapters": adapter_validation.fn,
    "canary": staged_canary.fn,
}


@flow(name="advance", flow_run_name="advance {migration}", task_runner=task_runner())
def advance(migration: str, actor: str = SCHEDULE) -> State[dict[str, Any]]:
    """Take the one step that is due, or say why there is none.

    Args:
        migration: The migration's short name, as in its plan.
        actor: Who asks, for the record.
    """
    # The schedule may be deployed long before the plan is started.
    stage, action, reason = due_or_finish(migration, perhaps=actor == SCHEDULE, actor=actor)
    outcome = {"action": action, "did": False, "sentence": reason}
    if action in IDLE:
        return completed(reason, outcome)
    if stage not in PHASES:
        return conclude(migration, outcome)
    return PHASES[stage](migration, actor)

"""Tasks on the ledger: reconcile, collect, look, decide and take the step."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.advance import action_name, take_step
from switchover.engine.ahead import read_ahead
from switchover.engine.assess import due
from switchover.engine.collect import collect
from switchover.engine.reconcile import reconciled
from tasks.engine import PATIENT, engine

#: The names of having nothing to do: for ever, and now.
NOTHING = "nothing"
IDLE = (NOTHING, "wait")


@task(**PATIENT)
def what_is_due(migration: str, *, perhaps: bool = False, actor: str = "") -> tuple[str, str, str]:
    """Repair what a crash left behind, bring the newest evidence in, and decide.

    Gives the present stage's kind, the name of what is due, and why: of a migration that was not
    started (yet) no stage and nothing, where ``perhaps`` allows for that. ``actor`` is who asks.
    One task and not three: a task run takes longer than all of this when there is nothing to do.
    """
    context, log = engine(), get_run_logger()
    ahead = read_ahead(context, [migration])
    if perhaps and not ahead.ledger.migrations():
        sentence = f"{migration} has not been started; begin with: switchover start PLAN"
        return "", NOTHING, sentence
    case, repaired = reconciled(ahead, migration)
    for repair in repaired:
        log.warning("reconciled: %s", repair)
    collected = collect(ahead, migration, case)
    if collected.fresh:
        log.info("collected %d new blocks", collected.fresh)
    action = due(case, actor=actor)
    return case.stage.kind, action_name(action), action.reason


@task(**PATIENT)
def step(migration: str, actor: str) -> dict[str, Any]:
    """Take the one step that is due."""
    outcome = take_step(engine(), migration, actor=actor)
    get_run_logger().info("%s: %s", outcome.action, outcome.sentence)
    return outcome.to_dict()

"""Tasks on the ledger: reconcile, collect, look, decide and take the step."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.advance import action_name, take_step
from switchover.engine.assess import due
from switchover.engine.collect import collect
from switchover.engine.compare_items import items_due
from switchover.engine.monitor import discard, look, watched
from switchover.engine.reconcile import reconcile
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def prepare(migration: str) -> None:
    """Repair what a crash left behind, then bring the newest evidence in."""
    log = get_run_logger()
    for repair in reconcile(engine(), migration):
        log.warning("reconciled: %s", repair)
    collected = collect(engine(), migration)
    log.info("collected %d new blocks", collected.fresh)


@task(**PATIENT)
def is_started(migration: str) -> bool:
    """False for a migration that the ledger does not know."""
    return any(state.migration == migration for state in engine().ledger.migrations())


@task(**PATIENT)
def what_is_due(migration: str) -> tuple[str, str, str]:
    """The present stage's kind, the name of what is due, and why."""
    case = engine().open(migration)
    action = due(case)
    return case.stage.kind, action_name(action), action.reason


@task(**PATIENT)
def step(migration: str, actor: str) -> dict[str, Any]:
    """Take the one step that is due."""
    outcome = take_step(engine(), migration, actor=actor)
    get_run_logger().info("%s: %s", outcome.action, outcome.sentence)
    return outcome.to_dict()


@task(**PATIENT)
def migrations_to_watch() -> list[str]:
    """Every migration that has not ended, or completed a while ago at most."""
    discard(engine())
    return watched(engine())


@task(task_run_name="look at {migration}", **PATIENT)
def look_at(migration: str) -> dict[str, Any]:
    """One look: collect, judge, and roll back if the evidence says so; and whether work items
    are to be compared after it."""
    outcome = look(engine(), migration, actor="monitor").to_dict()
    return {**outcome, "items_due": items_due(engine(), migration)}

"""Roll back by hand from the Prefect UI (P5), or complete the record of a rollback."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Failed

from flows.conclude import completed, conclude
from switchover.plan.rollback_steps import Level
from tasks.rollback import (
    StepName,
    due_steps,
    mend,
    show_preview,
    steps_outcome,
    take_step_of,
    to_legacy,
)
from tasks.validation import validate_rollback


@flow(name="rollback", flow_run_name="roll back {migration}")
def rollback(
    migration: str,
    reason: str,
    actor: str,
    level: Level = "service",
    component: str = "",
    dry_run: bool = False,
    incident: str = "",
) -> State[dict[str, Any]]:
    """Roll back now, or complete the record of a rollback. Nothing blocks it: no freeze window,
    hold or pending approval.

    Args:
        migration: The migration's short name, as in its plan.
        reason: Why, for the incident.
        actor: Who asks, for the record.
        level: How much goes back: one component's flags, all of the migration's traffic, or its
            whole group, too.
        component: The component, with level component; empty otherwise.
        dry_run: Only say what would happen, in an artifact; nothing is touched.
        incident: Complete this one's record: take its steps, validate it. Empty: roll back now.
    """
    if dry_run:
        outcome = show_preview(migration, level, component)
        return completed(outcome["sentence"], outcome)
    if not incident:
        return roll_back_now(migration, reason, actor, level, component)
    mend(migration)
    # At the same time: a step may take longer than a wave has to pass.
    validation = validate_rollback.submit(migration, actor)
    outcome = take_steps(migration, incident, actor)
    found = validation.result()
    sentence = f"{outcome['sentence']}; {found['sentence']}" if found["waves"] else None
    told = {"validation": found, "sentence": sentence or outcome["sentence"]}
    return conclude(migration, {**outcome, **told})


def roll_back_now(
    migration: str, reason: str, actor: str, level: Level, component: str
) -> State[dict[str, Any]]:
    """Turn the traffic. The rest runs on its own, as after every rollback: the ledger's outbox
    starts it."""
    outcome = to_legacy(migration, actor, reason, level, component)
    if outcome["recorded"]:
        ended = conclude(migration, outcome)
    else:
        # The ledger is down: there is nothing to show, and traffic is back already.
        ended = completed(outcome["sentence"], outcome)
    return ended if outcome["ok"] else Failed(message=outcome["sentence"], data=outcome)


def take_steps(migration: str, incident: str, actor: str) -> dict[str, Any]:
    """The rollback's steps as tasks: in order, and side by side where nothing orders them."""
    asked: set[StepName] = set()
    running: list[PrefectFuture[None]] = []
    while True:
        for step in due_steps(migration, incident, actor):
            if step not in asked:
                asked.add(step)
                level, name = step
                running.append(take_step_of.submit(migration, incident, level, name, actor))
        if not running:
            return steps_outcome(migration, incident)
        ended = next(iter(as_completed(running)))
        running.remove(ended)
        ended.result()

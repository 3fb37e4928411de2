"""Tasks that roll back, take the steps that follow, or say what all that would be."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import RolledBackOutcome
from switchover.engine.roll_back_levels import check_level, left_behind, roll_back_level
from switchover.engine.rollback_preview import preview
from switchover.engine.rollback_standing import outcome_of
from switchover.engine.rollback_steps import settle, take
from switchover.incidents.redaction import redact, redact_all
from switchover.plan.rollback_steps import Level
from switchover.reporting.rollback_preview import preview_markdown
from tasks.engine import PATIENT, engine, settings

#: A step of a rollback: its level and its name.
StepName = tuple[str, str]


@task(**PATIENT)
def to_legacy(
    migration: str, actor: str, reason: str, level: Level, component: str
) -> dict[str, Any]:
    """Send back what the level says, and record it; ``ok`` says whether all of it is known to have
    turned."""
    outcome, group = roll_back_level(
        engine(), migration, level, component, actor=actor, reason=reason
    )
    log = get_run_logger()
    log.info("rolled back in %s s on %d routers", outcome.seconds, outcome.routers)
    for pending in outcome.pending:
        log.warning("completes later: %s", pending)
    ok = not (outcome.unconfirmed() or left_behind(migration, group))
    sentence = _sentence(outcome, component)
    if group is not None:
        sentence += f"; the rest of the system: {group.summary}"
    return {**outcome.to_dict(), "level": level, "ok": ok, "sentence": sentence}


@task(**PATIENT)
def show_preview(migration: str, level: Level, component: str) -> dict[str, Any]:
    """What a rollback would do, as an artifact and a sentence; secrets that a plan holds after all
    are hidden."""
    check_level(level, component)
    found = preview(engine(), migration, level, component, allowed=settings().allow_commands)
    key = f"{migration}-rollback-preview"
    create_markdown_artifact(
        key=key,
        markdown=preview_markdown(redact_all(found.to_dict())),
        description=f"What a rollback of {migration} would do",
    )
    steps = f"{len(found.steps)} step{'s' * (len(found.steps) != 1)}"
    sentence = (
        f"dry run, nothing was touched: {found.traffic[0]}; {steps} would follow; {key} has it all"
    )
    return {"migration": migration, "level": level, "ok": True, "sentence": redact(sentence)}


@task(**PATIENT)
def mend(migration: str) -> list[str]:
    """Repair what a run that died left behind; gives what that was."""
    repaired = reconcile(engine(), migration)
    for repair in repaired:
        get_run_logger().warning("reconciled: %s", repair)
    return repaired


@task(**PATIENT, task_run_name="what is due of the rollback")
def due_steps(migration: str, incident: str, actor: str) -> list[StepName]:
    """Escalate or freeze where a step has failed; gives the steps that may begin now."""
    left = settle(engine(), migration, incident, actor=actor)
    return [(planned.level, planned.name) for planned in left.begin]


@task(**PATIENT, task_run_name="{level} step {name}")
def take_step_of(migration: str, incident: str, level: str, name: str, actor: str) -> None:
    """Take one step of a rollback, if nobody else has."""
    take(engine(), migration, incident, level, name, actor=actor)


@task(**PATIENT, task_run_name="how far the rollback is")
def steps_outcome(migration: str, incident: str) -> dict[str, Any]:
    """How far the steps came."""
    outcome = outcome_of(engine().open(migration), incident).to_dict()
    get_run_logger().info("%s", outcome["sentence"])
    return outcome


def _sentence(outcome: RolledBackOutcome, component: str) -> str:
    migration = outcome.migration
    later = "".join(f"; completes later: {pending}" for pending in outcome.pending)
    if outcome.seconds is None:
        what = f"a rollback of {component or migration} was ordered and is not confirmed"
    else:
        turned = f"{outcome.routers} routers turned in {outcome.seconds:.3f} s"
        what = (
            f"component {component} of {migration} is off, and the migration is held: {turned}"
            if component else f"{migration} is back on legacy: {turned}"
        )  # fmt: skip
    return f"{what}; incident {outcome.incident}{later}"

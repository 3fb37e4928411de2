"""Tasks that a flow on one migration ends with."""

from __future__ import annotations

from prefect import task

from tasks.artifacts import publish
from tasks.effects import perform_effects
from tasks.engine import PATIENT
from tasks.step import IDLE, what_is_due


@task(**PATIENT)
def finish(migration: str) -> None:
    """Perform what is due outside, then show people where the migration stands.

    One task, as most runs find neither to be necessary, and a task run takes longer than that.
    """
    perform_effects.fn()
    publish.fn(migration)


@task(**PATIENT)
def due_or_finish(migration: str, *, perhaps: bool, actor: str) -> tuple[str, str, str]:
    """What is due, as :func:`tasks.step.what_is_due` gives it; where that is nothing, finish.

    The daily run that has to wait, as most of them have, is this one task.
    """
    found = what_is_due.fn(migration, perhaps=perhaps, actor=actor)
    if found[0] and found[1] in IDLE:
        finish.fn(migration)
    return found

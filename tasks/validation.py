"""Task that validates a rollback."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.validate import validate
from tasks.engine import PATIENT, engine

#: Seconds for which one run asks failing probes again; the next run goes on until the deadline.
PATIENCE = 30.0


@task(**PATIENT)
def validate_rollback(migration: str, actor: str) -> dict[str, Any]:
    """Run the waves that are due, and write down those that are decided.

    Gives :meth:`switchover.engine.validate.Validation.to_dict`. Asking again is safe: a wave on
    record is left alone.
    """
    found = validate(engine(), migration, actor=actor, patience=PATIENCE)
    log = get_run_logger()
    for wave in found.waves:
        (log.warning if wave.ok is False else log.info)("%s: %s", migration, wave.sentence)
    return found.to_dict()

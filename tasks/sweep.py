"""Task that looks at every migration: one for all of them, as a task run costs more than a look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.probing import Probing
from switchover.engine.sweep import Sweep, sweep
from switchover.engine.unwatched import tell_unwatched
from switchover.errors import SwitchoverError
from tasks.engine import PATIENT, engine

#: Seconds that a look waits for its probes at most.
PROBES_TAKE = 15.0

#: Migrations that the run's message tells of; all of them are in its log and its result.
TOLD = 20


@task(**PATIENT)
def look_at_all() -> dict[str, Any]:
    """Collect, judge and roll back what is bad, of all migrations.

    Gives the outcomes, the errors as ``migration: why``, the names of those whose work items are
    to be compared now and of those whose rollback is to be validated, and a sentence.
    """
    # This run ends after its look, so that it waits for the probes that it began.
    patient = replace(engine(), probing=Probing(patience=PROBES_TAKE))
    found = sweep(patient, actor="monitor")
    log = get_run_logger()
    try:
        if unwatched := tell_unwatched(patient, actor="monitor"):
            log.warning("no guard watches %s; start `switchover watch`", ", ".join(unwatched))
    except SwitchoverError as error:
        # The next minute asks again; what the sweep did is to be told now.
        log.warning("whether guards watch is not known: %s", error)
    lines = [f"{name}: {outcome.sentence}" for name, outcome in found.looks.items()]
    if lines:
        # One record for all: each is a row in Prefect's database.
        log.info("%s", "\n".join(lines))
    return {
        "outcomes": [outcome.to_dict() for outcome in found.looks.values()],
        "errors": [f"{name}: {error}" for name, error in sorted(found.errors.items())],
        "items_due": sorted(found.items_due),
        "waves_due": sorted(found.waves_due),
        "sentence": _sentence(found, lines),
    }


def _sentence(found: Sweep, lines: list[str]) -> str:
    if len(lines) <= TOLD:
        return "; ".join(lines) or "there is no migration to look at"
    changed = [line for line, each in zip(lines, found.looks.values(), strict=True) if each.did]
    told = "; ".join(changed[:TOLD]) or "nothing had to be done"
    return f"looked at {len(lines):,} migrations: {told}"

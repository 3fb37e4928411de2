"""Tasks that perform the outbox's side effects and tell of what happened."""

from __future__ import annotations

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.announce import announce
from switchover.engine.drain import drain
from switchover.errors import DependencyUnavailable
from tasks.engine import PATIENT, announcements, engine, events


@task(**PATIENT)
def perform_effects() -> int:
    """Do what the ledger says is still to be done outside, then tell Prefect what entered the
    ledger, as custom events; gives how many effects were done."""
    log = get_run_logger()
    drained = drain(engine())
    for failure in drained.failed:
        log.warning("effect failed and is tried again: %s", failure)
    try:
        announce(announcements(), events())
    except DependencyUnavailable as error:
        # Nothing waits for events: a later run tells of what could not be told now.
        log.warning("events are told later: %s", error)
    return len(drained.done)

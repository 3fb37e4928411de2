"""Task that performs the outbox's side effects."""

from __future__ import annotations

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.drain import drain
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def perform_effects() -> int:
    """Do what the ledger says is still to be done outside; gives how many were done."""
    drained = drain(engine())
    for failure in drained.failed:
        get_run_logger().warning("effect failed and is tried again: %s", failure)
    return len(drained.done)

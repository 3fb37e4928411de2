"""Task that rolls back."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.logging import get_run_logger

from switchover.engine.roll_back import RolledBackOutcome, roll_back
from tasks.engine import PATIENT, engine


@task(**PATIENT)
def to_legacy(migration: str, actor: str, reason: str) -> dict[str, Any]:
    """Send everything to legacy and record it."""
    outcome = roll_back(engine(), migration, actor=actor, trigger="person", reason=reason)
    log = get_run_logger()
    log.info("rolled back in %s s on %d routers", outcome.seconds, outcome.routers)
    for pending in outcome.pending:
        log.warning("completes later: %s", pending)
    return {**outcome.to_dict(), "sentence": _sentence(outcome)}


def _sentence(outcome: RolledBackOutcome) -> str:
    took = "in a time unknown" if outcome.seconds is None else f"in {outcome.seconds:.3f} s"
    later = "".join(f"; completes later: {pending}" for pending in outcome.pending)
    return (
        f"{outcome.migration} is back on legacy: {outcome.routers} routers turned {took}; "
        f"incident {outcome.incident}{later}"
    )

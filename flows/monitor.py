"""Every minute: look at every running migration; roll back what is bad."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.conclude import completed
from tasks.artifacts import publish
from tasks.data import watch_work_items
from tasks.effects import perform_effects
from tasks.step import look_at, migrations_to_watch


@flow(name="monitor", flow_run_name="monitor")
def monitor() -> State[list[dict[str, Any]]]:
    """Look at all migrations; one that can't be looked at hides no other."""
    log = get_run_logger()
    looks = {name: look_at.submit(name) for name in migrations_to_watch()}
    outcomes, errors = [], []
    for name, future in looks.items():
        outcome = future.result(raise_on_failure=False)
        if isinstance(outcome, dict):
            outcomes.append(outcome)
        else:
            errors.append(f"{name}: {outcome}")
    perform_effects()
    # After what may not wait: comparing takes as long as both tables are large.
    names = [outcome["migration"] for outcome in outcomes if outcome["items_due"]]
    watched = {name: watch_work_items.submit(name) for name in names}
    for name, found in watched.items():
        sentence = found.result(raise_on_failure=False)
        if not isinstance(sentence, str):
            errors.append(f"{name}: {sentence}")
        elif sentence:
            log.info("%s: work items: %s", name, sentence)
    for outcome in outcomes:
        log.info("%(migration)s: %(sentence)s", outcome)
        if outcome["did"]:
            publish(outcome["migration"])
    if errors:
        raise RuntimeError("could not look at " + "; ".join(errors))
    lines = [f"{outcome['migration']}: {outcome['sentence']}" for outcome in outcomes]
    return completed("; ".join(lines) or "there is no migration to look at", outcomes)

"""Every minute: look at every running migration; roll back what is bad."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.conclude import completed
from tasks.artifacts import publish
from tasks.data import watch_work_items
from tasks.effects import perform_effects
from tasks.sweep import look_at_all
from tasks.validation import validate_rollback


@flow(name="monitor", flow_run_name="monitor")
def monitor() -> State[list[dict[str, Any]]]:
    """Look at all migrations; one that can't be looked at hides no other."""
    log = get_run_logger()
    found = look_at_all()
    outcomes, errors = found["outcomes"], found["errors"]
    perform_effects()
    # After what may not wait: probes take their time, and are asked again when they fail.
    validated = {name: validate_rollback.submit(name, "monitor") for name in found["waves_due"]}
    # Comparing takes as long as both tables are large.
    watched = {name: watch_work_items.submit(name) for name in found["items_due"]}
    for name, future in watched.items():
        sentence = future.result(raise_on_failure=False)
        if not isinstance(sentence, str):
            errors.append(f"{name}: {sentence}")
        elif sentence:
            log.info("%s: work items: %s", name, sentence)
    for name, checked in validated.items():
        waves = checked.result(raise_on_failure=False)
        if not isinstance(waves, dict):
            errors.append(f"{name}: {waves}")
        elif any(wave["ok"] is not None for wave in waves["waves"]):
            perform_effects()
            publish(name)
    for outcome in outcomes:
        if outcome["did"]:
            publish(outcome["migration"])
    if errors:
        raise RuntimeError("could not look at " + "; ".join(errors))
    return completed(found["sentence"], outcomes)

"""The engine of this process, and how its tasks are retried: on transient faults only (P10)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from prefect.tasks import exponential_backoff

from switchover.engine.context import Context
from switchover.errors import DependencyUnavailable
from switchover.wiring import build_context, load_settings


@lru_cache(maxsize=1)
def engine() -> Context:
    """The ports, built from the settings once per process."""
    return build_context(load_settings())


def transient(task: Any, run: Any, state: Any) -> bool:
    """Retry only when a dependency was unavailable; every other error is an answer."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, DependencyUnavailable)


#: Retries of every task: 1, 2 and 4 seconds with jitter.
PATIENT: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": transient,
    "persist_result": False,
}

"""The engine of this process, and how its tasks are retried: on transient faults only (P10)."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from prefect.tasks import exponential_backoff

from switchover.engine.context import Context
from switchover.errors import DependencyUnavailable
from switchover.ports import Announcements, EventSink
from switchover.wiring import (
    Settings,
    build_announcements,
    build_context,
    build_events,
    load_settings,
)
from tasks.secrets import with_blocks


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The operator's settings, read once per process."""
    return load_settings(with_blocks(os.environ))


@lru_cache(maxsize=1)
def engine() -> Context:
    """The ports, built from the settings once per process."""
    return build_context(settings())


@lru_cache(maxsize=1)
def announcements() -> Announcements:
    """What was announced so far, built once per process."""
    return build_announcements(engine())


@lru_cache(maxsize=1)
def events() -> EventSink:
    """Where announcements go, built once per process."""
    return build_events(settings())


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

"""Flow runs in the process of the tests: the server knows them as it knows a worker's, and the
seconds in which a worker starts a process are saved."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import State
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from switchover.launcher.prefect_api import RunState
from tasks import engine


def run_here(
    flow: Callable[..., State[Any]], env: Mapping[str, str], path: Path, **parameters: Any
) -> RunState:
    """Run a flow in this process with the settings of ``env``, where plans find modules in
    ``path``; gives how it ended."""
    with _as_in(env, path):
        state = flow(**parameters, return_state=True)
    return state.type.value, state.name or "", state.message or ""


@contextmanager
def _as_in(env: Mapping[str, str], path: Path) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(env)
    sys.path.insert(0, str(path))
    for kept in (engine.settings, engine.engine, engine.announcements, engine.events):
        kept.cache_clear()
    server = {
        PREFECT_API_URL: env["PREFECT_API_URL"],
        PREFECT_API_AUTH_STRING: env["PREFECT_API_AUTH_STRING"],
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    try:
        with temporary_settings(server):
            yield
    finally:
        sys.path.remove(str(path))
        os.environ.clear()
        os.environ.update(before)

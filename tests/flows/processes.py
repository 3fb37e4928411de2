"""Finding the process of a flow run, to kill it at the right moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def process_of(run: str) -> int:
    """The pid of the process that executes a flow run, known by its environment."""
    wanted = f"PREFECT__FLOW_RUN_ID={run}".encode()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and _has(folder, wanted):
                return int(folder.name)
        time.sleep(0.05)
    raise AssertionError(f"no process executes flow run {run}")


def _has(folder: Path, variable: bytes) -> bool:
    try:
        return variable in (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is somebody else's
        return False


def wait_for(true: Callable[[], bool], what: str) -> None:
    """Poll closely until ``true()``."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)

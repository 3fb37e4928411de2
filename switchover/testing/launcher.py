"""A launcher that keeps its runs in memory, for tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from switchover.errors import InputError, Refused


@dataclass(frozen=True, slots=True)
class Run:
    """One flow run; ``state`` is ``scheduled``, ``suspended`` or ``resumed``."""

    id: str
    deployment: str
    parameters: Mapping[str, Any]
    key: str
    state: str = "scheduled"
    values: Mapping[str, Any] | None = None


class MemoryLauncher:
    """The `Launcher` port without Prefect: ``runs`` holds what was started, by run id.

    A run suspends when the test says so (`suspend`). While ``error`` is set, every call
    raises it and does nothing.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str:
        """Note the run, once per ``key``; returns its id."""
        with self._lock:
            self._fail_if_told()
            for run in self.runs.values():
                if run.key == key:
                    return run.id
            run = Run(f"run-{len(self.runs) + 1}", deployment, dict(parameters), key)
            self.runs[run.id] = run
            return run.id

    def suspend(self, run_id: str) -> None:
        """Make a run wait for typed input, as the flow itself would."""
        with self._lock:
            self.runs[run_id] = replace(self._run(run_id), state="suspended")

    def resume(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Note the input; ``Refused`` unless the run is suspended."""
        with self._lock:
            self._fail_if_told()
            run = self._run(run_id)
            if run.state != "suspended":
                raise Refused(f"run {run_id} is {run.state}, not suspended; nothing to resume")
            self.runs[run_id] = replace(run, state="resumed", values=dict(values))

    def waiting(self, deployment: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Suspended runs of a deployment with their parameters."""
        with self._lock:
            self._fail_if_told()
            return [
                (run.id, run.parameters)
                for run in self.runs.values()
                if run.deployment == deployment and run.state == "suspended"
            ]

    def _run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise InputError(f"there is no run {run_id!r}")
        return self.runs[run_id]

    def _fail_if_told(self) -> None:
        if self.error is not None:
            raise self.error

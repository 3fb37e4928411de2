"""The example's processes: training, both services, the clinic's traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from switchover.errors import SwitchoverError
from switchover.testing.embedded.ports import LOOPBACK, free_port
from switchover.testing.embedded.process import ServerProcess


def train(root: Path, models: Path, data: Path | None) -> subprocess.Popen[str]:
    """Begin to train both models; some seconds."""
    command = [sys.executable, "-m", "examples.mood.train", "--out", str(models), "--json"]
    if data is not None:
        command += ["--data", str(data)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)  # fmt: skip


def trained(training: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the models; gives their figures. Raises with the trainer's words."""
    out, error = training.communicate(timeout=120)
    if training.returncode != 0:
        raise SwitchoverError(f"training failed: {error.strip() or out.strip()}")
    document: dict[str, Any] = json.loads(out)
    return document


class Service:
    """One of the two systems, as a process."""

    def __init__(self, root: Path, state: Path, system: str, port: int, *more: str) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        command = [
            sys.executable, "-m", f"examples.mood.{system}", "--port", str(port),
            "--models", str(state / "models"), *more,
        ]  # fmt: skip
        self._process = ServerProcess(
            f"the {system} service", command, log=state / f"{system}.log", cwd=root
        )

    def start(self) -> Service:
        """Start, and wait until it is healthy."""
        self._process.start()
        self._process.wait_until(self._healthy, timeout=30)
        return self

    def stop(self) -> None:
        """Stop the process."""
        self._process.stop()

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


class Traffic:
    """The clinic's application under a steady stream of requests."""

    def __init__(
        self, root: Path, state: Path, migration: str, legacy: str, candidate: str,
        env: Mapping[str, str], *, rate: int, data: Path | None,
    ) -> None:  # fmt: skip
        self._report = state / f"traffic-{migration}.json"
        self._report.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "examples.mood.traffic", "--migration", migration,
            "--legacy", legacy, "--candidate", candidate, "--rate", str(rate),
            "--until-stopped", "--flush-every", "0.2", "--memory-every", "0.2",
            "--report", str(self._report),
        ]  # fmt: skip
        if data is not None:
            command += ["--data", str(data)]
        self._process = ServerProcess(
            "the traffic generator", command, log=state / f"traffic-{migration}.log", env=env,
            cwd=root, grace=30,
        )  # fmt: skip
        self._process.start()

    def stop(self) -> dict[str, Any]:
        """Let requests in flight finish; gives the report: requests, failed, who served."""
        self._process.stop()
        if not self._report.is_file():
            raise SwitchoverError(f"the traffic generator wrote no report ({self._report})")
        report: dict[str, Any] = json.loads(self._report.read_text())
        return report


def two_ports() -> tuple[int, int]:
    """Two free ports on loopback."""
    first = free_port()
    second = free_port()
    while second == first:
        second = free_port()
    return first, second

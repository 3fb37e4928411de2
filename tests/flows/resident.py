"""Flow runs in one resident process: the server knows them as it knows a worker's, and the seconds
in which a worker starts a process for each are saved.

    python -m tests.flows.resident

Reads a line of JSON for each run, the flow's name and its parameters, and answers with its end.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from switchover.launcher.prefect_api import RunState

ROOT = Path(__file__).parents[2]


class Resident:
    """The process, from the first run to ``stop``; with the environment of a worker's flow runs."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._env, self._log = dict(env), log
        self._process: subprocess.Popen[str] | None = None

    def run(self, flow: str, **parameters: Any) -> RunState:
        """Run ``flow``, the name of a module in `flows` and of the flow in it; gives its end."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([flow, parameters]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, f"the resident process has ended: {self._log.read_text()[-2000:]}"
        kind, name, message = json.loads(answer)
        return kind, name, message

    def stop(self) -> None:
        """End it, if it was needed."""
        if self._process is not None:
            self._process.communicate(timeout=30)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            with self._log.open("w") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.flows.resident"], cwd=ROOT, env=self._env,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                )  # fmt: skip
        return self._process


def main() -> None:
    """Run what is asked for until nobody asks any more."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what flows print is no answer
    for line in sys.stdin:
        name, parameters = json.loads(line)
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        state = flow(**parameters, return_state=True)
        print(json.dumps([state.type.value, state.name, state.message or ""]), file=answers)
        answers.flush()


if __name__ == "__main__":
    main()

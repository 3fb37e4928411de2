"""One supervised server process: started in its own session, stopped with its children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from switchover.errors import DependencyUnavailable

SUPERVISOR = Path(__file__).with_name("supervise.py")


class ServerProcess:
    """A server and all it starts, ended together.

    ``tied`` servers end with the process that started them, whatever ended it; the others
    stay until `stop` or a SIGTERM to ``supervisor_pid``. ``grace`` is the time in seconds
    between the stop signal and SIGKILL. Output goes to ``log``. ``account`` is the user to
    run as when we are root.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: int = signal.SIGTERM,
        grace: float = 10.0,
        tied: bool = True,
        nice: int = 0,
        account: str | None = None,
    ) -> None:
        self.name, self.log = name, log
        self._env = {**os.environ, **(env or {})}
        self._cwd, self._nice, self._grace, self._tied = cwd, nice, grace, tied
        self._spec = json.dumps(
            {
                "command": list(command),
                "log": str(log),
                "stop_signal": int(stop_signal),
                "grace": grace,
                "tied": tied,
                "account": account,
            }
        )
        self._supervisor: subprocess.Popen[bytes] | None = None
        self.pid = 0

    @property
    def supervisor_pid(self) -> int:
        """The pid to send SIGTERM to for a clean stop from elsewhere; 0 when not started."""
        return self._supervisor.pid if self._supervisor else 0

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self) -> None:
        """Start it; returns as soon as the process exists, not when it is ready."""
        command = [sys.executable, "-I", "-S", str(SUPERVISOR), self._spec]
        if self._nice:
            command = ["nice", "-n", str(self._nice), *command]
        with self.log.open("ab") as errors:
            supervisor = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if self._tied else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        assert supervisor.stdout is not None  # a pipe was asked for
        with supervisor.stdout as answer:
            line = answer.readline()
        self._supervisor = supervisor
        if not line:
            supervisor.wait()
            raise DependencyUnavailable(self.name, f"it could not be started; {self.last_words()}")
        self.pid = int(line)

    def wait(self, timeout: float) -> int:
        """Wait for the server to end by itself and give its exit code."""
        assert self._supervisor is not None, "start it first"
        try:
            code = self._supervisor.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise DependencyUnavailable(
                self.name, f"not done after {timeout:g} s; {self.last_words()}"
            ) from None
        self.stop()  # frees the pipe
        return code

    def wait_until(self, ready: Callable[[], bool], timeout: float, every: float = 0.05) -> None:
        """Wait until ``ready()``; a server that ends first, or is too slow, is an error."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise DependencyUnavailable(
                    self.name, f"it ended while starting; {self.last_words()}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise DependencyUnavailable(
                    self.name, f"no answer after {timeout:g} s; {self.last_words()}"
                )
            time.sleep(every)

    def stop(self) -> None:
        """Stop the server and all it started; returns when they are gone."""
        if self._supervisor is None:
            return
        if self._supervisor.poll() is None:
            self._supervisor.terminate()
            try:
                self._supervisor.wait(self._grace + 5)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()  # the server follows by its death signal
                self._supervisor.wait()
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._supervisor = None

    def kill(self) -> None:
        """SIGKILL the server itself, as a fault test wants it; its children go with it."""
        assert self._supervisor is not None, "start it first"
        os.kill(self.pid, signal.SIGKILL)
        self._supervisor.wait()
        self.stop()  # frees the pipe

    def last_words(self, lines: int = 5) -> str:
        """The end of the log, in one line, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())
        return f"log {self.log}: {tail or 'empty'}"

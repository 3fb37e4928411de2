"""Processes that drive journeys, forked from one that has imported the engine already."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from switchover.errors import SwitchoverError
from tests.faults.fuse import Fuse, Slow
from tests.faults.journey import Site, drive
from tests.faults.scenarios import SCENARIOS

#: Seconds that a journey may take, on a machine that does much else.
PATIENCE = 150.0

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.warm"])


@dataclass(frozen=True)
class Report:
    """How a driver ended: with the ``names`` of the calls it made, killed, or with an error."""

    names: tuple[str, ...] = ()
    killed: bool = False
    error: str = ""


def _drive(site: Site, scenario: str, kill_at: int, before: bool, told: Connection) -> None:
    """Drive once; whatever goes wrong ends this process."""
    fuse, chosen = Fuse(kill_at, before=before), SCENARIOS[scenario]
    try:
        drive(site, site.context(fuse), bad=chosen.bad, act=chosen.act)
        told.send(Report(tuple(fuse.names)))
    except Exception as error:
        told.send(Report(error=f"{type(error).__name__}: {error}"))


def _persist(site: Site, scenario: str, seed: object, told: Connection) -> None:
    """Drive slowly, and again whenever a dependency is away or another driver was first."""
    fuse, chosen = Slow(seed), SCENARIOS[scenario]
    chance, deadline = random.Random(repr(seed)), time.monotonic() + PATIENCE
    context = site.context(fuse)
    while True:
        try:
            drive(site, context, bad=chosen.bad, act=chosen.act)
            return told.send(Report(tuple(fuse.names)))
        except SwitchoverError as error:
            if time.monotonic() > deadline:
                return told.send(Report(error=f"no end in sight: {error}"))
            time.sleep(chance.uniform(0.02, 0.1))
        except Exception as error:
            return told.send(Report(error=f"{type(error).__name__}: {error}"))


class Driver:
    """One process that drives ``site`` through ``scenario``: once, and to be killed at a call, or
    with a ``seed`` slowly and for as long as it takes."""

    def __init__(self, site: Site, scenario: str, *, kill_at: int = 0, before: bool = False,
                 seed: object = None) -> None:  # fmt: skip
        self._pipe, theirs = PROCESSES.Pipe(duplex=False)
        arguments: tuple[Any, ...] = (site, scenario, kill_at, before, theirs)
        if seed is not None:
            arguments = (site, scenario, seed, theirs)
        self._process: ForkServerProcess = PROCESSES.Process(
            target=_drive if seed is None else _persist, args=arguments, daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def signal(self, number: int) -> bool:
        """Send a signal; False when it has ended before."""
        pid = self._process.pid
        if pid is None or not self.alive:
            return False
        os.kill(pid, number)
        return True

    def kill(self) -> bool:
        """SIGKILL; True unless it had ended before."""
        hit = self.signal(signal.SIGKILL)
        self._process.join(PATIENCE)
        return hit and self._process.exitcode == -signal.SIGKILL

    def report(self) -> Report:
        """Wait for its end."""
        if not self._pipe.poll(PATIENCE + 30):
            self.kill()
            return Report(error="it hangs")
        try:
            found: Report = self._pipe.recv()
        except EOFError:
            found = Report(killed=True)
        self._process.join(PATIENCE)
        self._pipe.close()
        if found.killed and self._process.exitcode != -signal.SIGKILL:
            return Report(error=f"it ended with exit code {self._process.exitcode}")
        return found

"""The way without routing: a flag in the environment, and every process started anew."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import Any

from benchmarks.routing.fleet import LOOK, PATIENCE, now
from benchmarks.routing.propagation import spread

FLAG = "USE_CANDIDATE"
#: Processes, and decisions a second of all of them together, as in :mod:`.turning`.
MEMBERS, RATE = (1, 8, 32), 4_000


class Desk:
    """What a process tells: that it serves, and when it last served the candidate."""

    def __init__(self, context: Any) -> None:
        self.ready, self.end = context.Event(), context.Event()
        self.last = context.Value("d", 0.0, lock=False)


def serve(rate: float, desk: Desk) -> None:
    """A service that read its flag when it started, as most do."""
    candidate, due = os.environ[FLAG] == "on", now()
    parent = os.getppid()
    desk.ready.set()
    while not desk.end.is_set() and os.getppid() == parent:
        if candidate:
            desk.last.value = now()
        due += 1 / rate
        time.sleep(max(0.0, due - now()))


class Service:
    """One process of the service."""

    def __init__(self, context: Any, rate: float) -> None:
        self.desk = Desk(context)
        self._process = context.Process(target=serve, args=(rate, self.desk), daemon=True)
        self._process.start()

    def wait(self) -> None:
        """Until it serves."""
        deadline = now() + PATIENCE
        while not self.desk.ready.is_set():
            if now() > deadline:
                raise RuntimeError("a process of the service never served")
            time.sleep(LOOK)

    def end(self) -> None:
        """Let it finish what it does, and end."""
        self.desk.end.set()
        self._process.join(PATIENCE)


def roll(members: int) -> float:
    """Start ``members`` with the flag on, then restart them with the flag off, one after the other
    and each only when its successor serves; seconds to the last that the candidate served."""
    # Spawned: a fork would spare the start of an interpreter, which a restart is about.
    context, rate = multiprocessing.get_context("spawn"), RATE / members
    os.environ[FLAG] = "on"
    old = [Service(context, rate) for _ in range(members)]
    for service in old:
        service.wait()
    began, new = now(), []
    os.environ[FLAG] = "off"
    for service in old:
        new.append(Service(context, rate))
        new[-1].wait()
        service.end()
    last = max(service.desk.last.value for service in old)
    for service in new:
        service.end()
    return max(0.0, last - began)


def measure(quick: bool = False) -> dict[str, Any]:
    """Rolling restarts of 1, 8 and 32 processes."""
    rounds = {1: 2, 8: 1, 32: 1} if quick else {1: 20, 8: 5, 32: 2}
    rows = [
        {"processes": members, "rollbacks": rounds[members],
         **spread([roll(members) for _ in range(rounds[members])])}
        for members in MEMBERS
    ]  # fmt: skip
    return {
        "title": "Rollback by a flag in the environment and a rolling restart",
        "rows": rows,
        "notes": [
            "From the changed flag to the last time that the candidate served in any process.",
            "Each process ends when its successor serves, so that no request is lost; all at once "
            "would be faster, and nobody would serve meanwhile.",
            "The process is as small as one can be, a Python interpreter with a loop. It opens no "
            "connection and loads no model, and nobody has to deploy the new environment first.",
            "Fewer rounds for more processes, as these take long.",
        ],
        "parameters": {"decisions_per_second": RATE, "cores": os.cpu_count()},
    }

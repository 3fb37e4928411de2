"""A failing candidate: noticed once per incident, and left alone while it lasts."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from switchover.errors import InputError

_log = logging.getLogger("switchover.asgi")


@dataclass(frozen=True, slots=True)
class CandidateFailure:
    """What is told of an incident: the routing epoch it fell into, and the last failure."""

    epoch: int
    reason: str
    failures: int


#: Called once per incident, plain or async, beside the requests.
OnFailure = Callable[[CandidateFailure], Awaitable[None] | None]


class Incident:
    """Counts failures of the candidate under one routing epoch.

    With ``threshold`` failures in a row the incident is on: ``on_failure`` is called, and for
    ``cool_down`` seconds nothing is sent to the candidate; then one request tries it, and a
    success lets the rest follow. Within one epoch ``on_failure`` is called once at most;
    every change of routing (a rollback above all) begins anew.
    """

    def __init__(
        self, on_failure: OnFailure | None = None, *, threshold: int = 1, cool_down: float = 5.0
    ) -> None:
        if threshold < 1 or cool_down < 0:
            raise InputError("threshold counts from 1 and cool_down is not below 0 seconds")
        self._on_failure, self._threshold, self._cool_down = on_failure, threshold, cool_down
        self._epoch, self._failures, self._told = -1, 0, False
        self._closed_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.counters: Counter[str] = Counter()

    def blocks(self, epoch: int) -> bool:
        """Whether a request of the candidate's is to go to legacy at once."""
        self._enter(epoch)
        if self._failures < self._threshold:
            return False
        now = time.monotonic()
        if now < self._closed_until:
            self.counters["blocked"] += 1
            return True
        # This request tries; the others wait for its outcome.
        self._closed_until = now + self._cool_down
        return False

    def succeeded(self, epoch: int) -> None:
        """The candidate answered."""
        if epoch == self._epoch:
            self._failures = 0

    def failed(self, epoch: int, reason: str) -> None:
        """The candidate failed to answer; call it from the event loop."""
        self.counters["failures"] += 1
        self._enter(epoch)
        if epoch != self._epoch:
            # A straggler of an epoch that is over: its incident is too.
            return
        self._failures += 1
        if self._failures < self._threshold:
            return
        self._closed_until = time.monotonic() + self._cool_down
        if not self._told:
            self._told = True
            self.counters["incidents"] += 1
            _log.error("the candidate fails under epoch %d: %s", epoch, reason)
            if self._on_failure is not None:
                failure = CandidateFailure(epoch, reason, self._failures)
                task = asyncio.create_task(self._tell(self._on_failure, failure))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is being told."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=10.0)

    def _enter(self, epoch: int) -> None:
        if epoch > self._epoch:
            self._epoch, self._failures, self._told, self._closed_until = epoch, 0, False, 0.0

    async def _tell(self, on_failure: OnFailure, failure: CandidateFailure) -> None:
        try:
            outcome = on_failure(failure)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception:
            # The requests go on by falling back; only this message is lost, and not silently.
            _log.exception("on_candidate_failure failed")

"""A failing candidate: legacy serves instead, and where it served alone a rollback starts, once."""

from __future__ import annotations

import logging
import threading
import time
from asyncio import AbstractEventLoop
from collections import Counter
from typing import Any, Protocol

from switchover.errors import InputError, PointOfNoReturn
from switchover.routing.breaker import Breaker
from switchover.routing.bucket import Key
from switchover.routing.candidate_failure import (
    CandidateFailure,
    OnCandidateFailure,
    running_loop,
    tell,
)
from switchover.routing.snapshot import Decision

_log = logging.getLogger("switchover.fallback")

#: Attempts to start the rollback of one incident, and seconds between two of them.
ATTEMPTS = 3
PAUSE = 1.0


class Routes(Protocol):
    """The part of ``switchover.Router`` that decides."""

    migration: str

    @property
    def turned(self) -> int:
        """The epoch of the last change of who serves."""

    def route(self, key: Key) -> Decision: ...


class Halts(Protocol):
    """The part of the routing store that stops a migration."""

    def halt(
        self, migration: str, *, halt_id: str, actor: str, reason: str, at: float, trigger: str = ""
    ) -> Any: ...


def halt_in(store: Halts, actor: str = "switchover") -> OnCandidateFailure:
    """Start an emergency rollback in the routing store; ``reconcile`` completes the record."""

    def halt(failure: CandidateFailure) -> None:
        store.halt(
            failure.migration,
            halt_id=failure.incident,
            actor=actor,
            reason=failure.reason,
            at=failure.at,
            trigger="candidate_failure",
        )

    return halt


class Fallback:
    """Says whether the candidate may be called, and what follows when it fails.

    ``breaker`` keeps a failing candidate from being called, in every mode. In
    ``candidate_only`` an incident opens with ``after`` failures in a row, or with the breaker:
    ``on_candidate_failure`` is called once, beside the requests, and the candidate not at all.
    It ends with the next change of who serves, such as the rollback: then all begins anew. It
    also ends when the rollback could not be started, so that the next failure tries again.
    Without ``on_candidate_failure`` there are no incidents. Past the point of no return the
    rollback is refused (``PointOfNoReturn``): there are none either until somebody else serves,
    and each request is answered as in every other mode.
    """

    def __init__(
        self,
        router: Routes,
        on_candidate_failure: OnCandidateFailure | None = None,
        *,
        after: int = 1,
        breaker: Breaker | None = None,
    ) -> None:
        if after < 1:
            raise InputError(f"a rollback after {after} failures is impossible; give 1 or more")
        self._router, self._report, self._after = router, on_candidate_failure, after
        self.breaker = breaker or Breaker()
        self.incident = ""
        self.counters: Counter[str] = Counter()
        self._turned = router.turned
        self._passed = -1
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def admit(self) -> int:
        """A ticket for one call of the candidate, to be settled or abandoned; 0: don't call it."""
        self._follow()
        ticket = 0 if self.incident else self.breaker.admit()
        if not ticket:
            self._count("blocked")
        return ticket

    def abandon(self, ticket: int) -> None:
        """The call was not made, or its end says nothing about the candidate."""
        self.breaker.abandon(ticket)

    def succeeded(self, ticket: int) -> None:
        """The candidate answered."""
        self.breaker.settle(ticket, True)

    def failed(self, ticket: int, decision: Decision, item: str, error: BaseException) -> None:
        """The candidate failed on ``item``; returns at once."""
        self.breaker.settle(ticket, False)
        self._count("failures")
        if self._report is None or decision.reason != "mode:candidate_only":
            return
        self._follow()
        broken = self.breaker.failing >= self._after or self.breaker.state == "open"
        with self._lock:
            # Where somebody else serves by now, a failure from before is old news.
            settled = self.incident or self._passed == self._turned
            if settled or self._turned > decision.epoch or not broken:
                return
            self.incident = incident = f"{self._router.migration}-candidate-{self._turned}"
            self.counters["incidents"] += 1
        failure = CandidateFailure(
            self._router.migration, incident, item, decision.epoch, error, time.time()
        )
        _log.error("%s: %s; legacy serves from now on", incident, failure.reason)
        thread = threading.Thread(
            target=self._start_rollback,
            args=(self._report, failure, running_loop()),
            name=f"{incident}-rollback",
            daemon=True,
        )
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Wait for a rollback that is being started. Under asyncio call it in a thread."""
        for thread in self._threads:
            thread.join(timeout)

    def _count(self, what: str) -> None:
        with self._lock:
            self.counters[what] += 1

    def _follow(self) -> None:
        """Begin anew where somebody else serves now."""
        turned = self._router.turned
        if turned <= self._turned:
            return
        with self._lock:
            if turned > self._turned:
                self._turned, self.incident = turned, ""
                self.breaker.reset()

    def _start_rollback(
        self,
        report: OnCandidateFailure,
        failure: CandidateFailure,
        loop: AbstractEventLoop | None,
    ) -> None:
        """In a thread of its own: the caller gets legacy's answer meanwhile."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                tell(report, failure, loop)
                return
            except PointOfNoReturn as error:
                _log.error("%s: %s", failure.incident, error)
                self._go_on(failure)
                return
            except Exception:
                _log.exception(
                    "%s: starting the rollback failed, attempt %d of %d",
                    failure.incident,
                    attempt,
                    ATTEMPTS,
                )
            if attempt < ATTEMPTS:
                time.sleep(PAUSE)
            self._follow()
            if self.incident != failure.incident:
                # Whoever turned the traffic meanwhile knew more than this failure does.
                return
        with self._lock:
            if self.incident == failure.incident:
                self.incident = ""

    def _go_on(self, failure: CandidateFailure) -> None:
        """Leave the candidate to serve, and ask for no rollback again before the next turn."""
        with self._lock:
            if self.incident == failure.incident:
                self.incident, self._passed = "", self._turned

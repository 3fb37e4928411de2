"""What follows when the candidate fails while it serves alone: one rollback per incident."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from switchover.errors import InputError

_log = logging.getLogger("switchover.fallback")

#: Attempts to start the rollback of one incident, and seconds between two of them.
ATTEMPTS = 3
PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class CandidateFailure:
    """The candidate failed on ``item`` in ``candidate_only``, under routing ``epoch``.

    ``incident`` is the same in every process that sees the candidate fail under this epoch,
    so that it fits as the id of the halt: then all of them together start one rollback.
    """

    migration: str
    incident: str
    item: str
    epoch: int
    error: BaseException
    at: float

    @property
    def reason(self) -> str:
        """What happened, fit for the ledger: the kind of error without its text."""
        return f"the candidate failed on {self.item} in candidate_only: {type(self.error).__name__}"


#: Starts the rollback; may be a coroutine function. An exception means: not started.
OnCandidateFailure = Callable[[CandidateFailure], Any]


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
    """Keeps the candidate from being called once an incident is open, and reports it once.

    An incident opens after ``after`` failures in a row in ``candidate_only``. It ends with the
    routing epoch it happened under: a newer document, such as the rollback, decides anew. It
    also ends when the rollback could not be started, so that the next failure tries again.
    Without ``on_candidate_failure`` there are no incidents.
    """

    def __init__(
        self, migration: str, on_candidate_failure: OnCandidateFailure | None, after: int = 1
    ) -> None:
        if after < 1:
            raise InputError(f"a rollback after {after} failures is impossible; give 1 or more")
        self.migration, self._report, self._after = migration, on_candidate_failure, after
        self._lock = threading.Lock()
        self._failed: tuple[int, int] = (0, 0)  # epoch, failures in a row
        self._open_epoch: int | None = None
        self._threads: list[threading.Thread] = []

    def forbids(self, epoch: int) -> bool:
        """Whether an incident is open under this epoch."""
        return epoch == self._open_epoch

    def succeeded(self, epoch: int) -> None:
        """The candidate answered; only failures in a row count."""
        with self._lock:
            self._failed = (epoch, 0)

    def failed(self, item: str, epoch: int, error: BaseException) -> None:
        """The candidate failed in ``candidate_only``; returns at once."""
        if self._report is None:
            return
        with self._lock:
            before = self._failed[1] if self._failed[0] == epoch else 0
            self._failed = (epoch, before + 1)
            # A call that began before a newer document says nothing about it.
            late = self._open_epoch is not None and epoch <= self._open_epoch
            if late or before + 1 < self._after:
                return
            self._open_epoch = epoch
        incident = f"{self.migration}-candidate-{epoch}"
        failure = CandidateFailure(self.migration, incident, item, epoch, error, time.time())
        _log.error("%s: %s; legacy serves from now on", incident, failure.reason)
        thread = threading.Thread(
            target=self._start_rollback,
            args=(self._report, failure),
            name=f"{incident}-rollback",
            daemon=True,
        )
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Wait for a rollback that is being started."""
        for thread in self._threads:
            thread.join(timeout)

    def _start_rollback(self, report: OnCandidateFailure, failure: CandidateFailure) -> None:
        """In a thread of its own: the caller gets legacy's answer meanwhile."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = report(failure)
                if inspect.isawaitable(outcome):
                    asyncio.run(_result_of(outcome))
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
        with self._lock:
            if self._open_epoch == failure.epoch:
                self._open_epoch = None


async def _result_of(outcome: Any) -> Any:
    return await outcome

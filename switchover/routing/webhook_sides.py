"""The two handlers of a webhook router, and which of them serves an event in the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from switchover.canonical import canonical
from switchover.errors import InputError
from switchover.routing.bucket import Key
from switchover.routing.claims import SERVING
from switchover.routing.drive import Call, Handler, Steps
from switchover.routing.fallback import Fallback, Routes
from switchover.routing.shadow_pairs import PairRecorder
from switchover.routing.snapshot import Decision
from switchover.routing.webhook_outcome import Outcome

_log = logging.getLogger("switchover.webhook")

#: Metrics of each call: whether it succeeded, and its seconds.
SUCCESS, DURATION = "success_rate", "duration_avg"


class EventRecorder(PairRecorder, Protocol):
    """The part of ``switchover.Recorder`` that takes outcomes of calls, and pairs of answers."""

    def record(self, metric: str, value: bool | float, system: str) -> None: ...


class Sides:
    """Calls ``handlers``, counts how it went, and falls back to legacy where it has to."""

    def __init__(
        self,
        router: Routes,
        handlers: Mapping[str, Handler],
        fallback: Fallback,
        recorder: EventRecorder | None,
        deadline: float | None,
    ) -> None:
        if set(handlers) != set(SERVING):
            raise InputError(f"handlers for {', '.join(SERVING)} are needed, and no others")
        self.handlers, self.fallback, self.recorder = dict(handlers), fallback, recorder
        self._router, self._deadline = router, deadline

    def serve(self, event: Any, item: str, key: Key) -> Steps[tuple[Outcome, Decision]]:
        """The outcome, and the decision it rests on."""
        decision = self._router.route(key)
        reason, fallback = decision.reason, False
        if decision.system == "candidate":
            if ticket := self.fallback.admit():
                try:
                    result = yield from self.candidate(
                        event, item, decision, ticket, self._deadline
                    )
                except Exception as error:
                    # Without the error's text, which may hold what the event holds.
                    kind = type(error).__name__
                    _log.warning("%s: the candidate failed (%s), legacy serves", item, kind)
                    _log.debug("%s: the candidate failed", item, exc_info=error)
                    fallback = True
                else:
                    served = Outcome("served", item, "candidate", result, reason, decision.epoch)
                    return served, decision
            else:
                reason = "incident" if self.fallback.incident else "breaker_open"
        result = yield from self.call("legacy", event)
        served = Outcome("served", item, "legacy", result, reason, decision.epoch, fallback)
        return served, decision

    def candidate(
        self, event: Any, item: str, decision: Decision, ticket: int, deadline: float | None
    ) -> Steps[Any]:
        """One call of the candidate, and what follows when it fails."""
        try:
            result = yield from self.call("candidate", event, deadline)
        except asyncio.CancelledError:
            # Somebody stopped waiting: that says nothing about the system.
            self.fallback.abandon(ticket)
            raise
        except Exception as error:
            self.fallback.failed(ticket, decision, item, error)
            raise
        self.fallback.succeeded(ticket)
        return result

    def call(self, system: str, event: Any, deadline: float | None = None) -> Steps[Any]:
        """One call, counted; a result that is not JSON is a failure of the system."""
        began = time.perf_counter()
        try:
            result = yield Call(self.handlers[system], event, deadline)
            canonical(result)
        except Exception:
            self._record(system, False, began)
            raise
        self._record(system, True, began)
        return result

    def _record(self, system: str, ok: bool, began: float) -> None:
        if self.recorder is not None:
            self.recorder.record(SUCCESS, ok, system)
            self.recorder.record(DURATION, time.perf_counter() - began, system)

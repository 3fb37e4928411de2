"""The other half of a pair: called after the answer, recorded beside the served result."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial
from typing import Any

from switchover.errors import DependencyUnavailable, InputError, StaleClaim
from switchover.routing.claims import Claims
from switchover.routing.drive import Ask, Steps, drive, drive_async
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_thread import ThreadShadow
from switchover.routing.snapshot import Decision
from switchover.routing.webhook_outcome import Outcome
from switchover.routing.webhook_sides import Sides

_log = logging.getLogger("switchover.webhook")

#: Seconds that the pool waits longer than the call, so that the call's own limit comes first.
_GRACE = 1.0


class Beside:
    """Calls the side that did not serve, through ``shadow`` and within its bounds."""

    def __init__(
        self,
        sides: Sides,
        claims: Claims,
        owner: str,
        deadline: float,
        shadow: Shadow | ThreadShadow | None,
    ) -> None:
        if deadline <= 0:
            raise InputError(f"a shadow deadline of {deadline} s is impossible; give more than 0")
        self._sides, self._claims, self._owner, self._deadline = sides, claims, owner, deadline
        self._in_loop = shadow if isinstance(shadow, Shadow) else None
        self._in_threads = shadow if isinstance(shadow, ThreadShadow) else None
        self._opening = threading.Lock()

    def after(self, event: Any, outcome: Outcome, decision: Decision, *, loop: bool) -> None:
        """Take an event that was served; returns at once."""
        recorder = self._sides.recorder
        if outcome.system != decision.system:
            # The candidate failed, or was not called: its half of the pair is known.
            if recorder is not None:
                recorder.compare_failed("error" if outcome.fallback else "shed")
            return
        ticket = self._sides.fallback.admit() if decision.other == "candidate" else 0
        if decision.other == "candidate" and not ticket:
            if recorder is not None:
                recorder.compare_failed("shed")
            return
        steps = partial(self._steps, event, outcome.item, decision, ticket)
        if loop:
            taken = self._loop_shadow().after(
                outcome.system, outcome.result, lambda: drive_async(steps())
            )
        else:
            taken = self._thread_shadow().after(
                outcome.system, outcome.result, lambda: drive(steps())
            )
        if not taken:
            self._sides.fallback.abandon(ticket)

    def close(self, timeout: float) -> None:
        """Wait for calls in threads."""
        if self._in_threads is not None:
            self._in_threads.close(timeout)

    async def aclose(self, timeout: float) -> None:
        """Wait for calls under asyncio."""
        if self._in_loop is not None:
            await self._in_loop.close(timeout)

    def _steps(self, event: Any, item: str, decision: Decision, ticket: int) -> Steps[Any]:
        began, other = time.monotonic(), decision.other
        try:
            if other == "candidate":
                result = yield from self._sides.candidate(
                    event, item, decision, ticket, self._deadline
                )
            else:
                result = yield from self._sides.call(other, event, self._deadline)
            if time.monotonic() - began > self._deadline:
                # A thread can't be stopped; that it came too late is said all the same.
                raise TimeoutError
        except asyncio.CancelledError:
            yield Ask(partial(self._keep, item, other, None, "cancelled"))
            raise
        except Exception as error:
            kind = "timeout" if isinstance(error, TimeoutError) else "error"
            yield Ask(partial(self._keep, item, other, None, kind))
            raise
        yield Ask(partial(self._keep, item, other, result, ""))
        return result

    def _keep(self, item: str, system: str, result: Any, failure: str) -> None:
        """Record this half beside the served one; the pair is compared even where that fails."""
        try:
            claim = self._claims.claim(item, self._owner, system, shadow=True)
            if claim is not None:
                self._claims.complete(claim, result, failure=failure)
        except (DependencyUnavailable, StaleClaim) as error:
            _log.warning("%s: the shadow result is not recorded: %s", item, error)

    def _loop_shadow(self) -> Shadow:
        if self._in_loop is None:
            self._in_loop = Shadow(self._sides.recorder, deadline=self._deadline + _GRACE)
        return self._in_loop

    def _thread_shadow(self) -> ThreadShadow:
        with self._opening:
            if self._in_threads is None:
                self._in_threads = ThreadShadow(
                    self._sides.recorder, deadline=self._deadline + _GRACE
                )
            return self._in_threads

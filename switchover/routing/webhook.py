"""The webhook router: event in, claim, route, call; in shadow both sides, one of them served.

    hooks = WebhookRouter(
        router, Claims("agents"), {"legacy": call_old, "candidate": call_new},
        accept={"opened", "edited"}, item=lambda event: event["delivery"],
        on_candidate_failure=halt_in(store),
    )
    outcome = hooks.handle(event)            # or: await hooks.handle_async(event)

Every accepted event has one served result, whatever is delivered twice, crashes or stalls.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from switchover.errors import DependencyUnavailable, InputError, StaleClaim
from switchover.routing.breaker import Breaker
from switchover.routing.bucket import Key
from switchover.routing.candidate_failure import OnCandidateFailure
from switchover.routing.claim_keeper import ClaimKeeper
from switchover.routing.claim_state import Claim
from switchover.routing.claims import Claims, default_owner
from switchover.routing.drive import Ask, Handler, Steps, drive, drive_async, require_plain
from switchover.routing.fallback import Fallback, Routes
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_thread import ThreadShadow
from switchover.routing.snapshot import Decision
from switchover.routing.webhook_outcome import Outcome, recorded
from switchover.routing.webhook_shadow import Beside
from switchover.routing.webhook_sides import EventRecorder, Sides

_log = logging.getLogger("switchover.webhook")


class WebhookRouter:
    """Routes events to the ``legacy`` or the ``candidate`` handler.

    ``accept`` holds the kinds of event to handle; ``kind`` is the field of the event that
    names its kind, or a function. ``item`` gives the name of the work item, the same for
    every delivery of one event; ``key`` what the split is sticky by, by default the item.
    ``candidate_deadline`` (seconds) bounds the serving candidate under asyncio, and
    ``shadow_deadline`` the other side. ``on_candidate_failure``, ``rollback_after`` and
    ``breaker`` are told in :class:`Fallback`. ``longest`` is for how long (seconds) a running
    handler keeps its claim. ``shadow`` bounds the shadow calls.
    """

    def __init__(
        self,
        router: Routes,
        claims: Claims,
        handlers: Mapping[str, Handler],
        accept: Collection[str],
        item: Callable[[Any], str],
        *,
        kind: str | Callable[[Any], Any] = "action",
        key: Callable[[Any], Key] | None = None,
        recorder: EventRecorder | None = None,
        on_candidate_failure: OnCandidateFailure | None = None,
        rollback_after: int = 1,
        breaker: Breaker | None = None,
        candidate_deadline: float | None = 30.0,
        shadow: Shadow | ThreadShadow | None = None,
        shadow_deadline: float = 30.0,
        owner: str = "",
        longest: float = 3_600.0,
    ) -> None:
        if isinstance(accept, str):
            raise InputError(f"accept is the text {accept!r}; give a set of kinds")
        self._router, self._claims = router, claims
        self._accept, self._item, self._key = frozenset(accept), item, key or item
        self._kind = kind if callable(kind) else partial(_field, kind)
        self._owner, self._keeper = owner or default_owner(), ClaimKeeper(claims, longest)
        self.fallback = Fallback(
            router, on_candidate_failure, after=rollback_after, breaker=breaker
        )
        self._sides = Sides(router, handlers, self.fallback, recorder, candidate_deadline)
        self._beside = Beside(self._sides, claims, self._owner, shadow_deadline, shadow)
        self._counting = threading.Lock()
        self.counters: Counter[str] = Counter()

    def handle(self, event: Any) -> Outcome:
        """Handle one delivery of an event.

        What the legacy handler raises is raised again, and the item is free for the next
        delivery. ``DependencyUnavailable`` when Redis can't be reached: no result was
        served, the sender has to deliver again.
        """
        require_plain(self._sides.handlers)
        return self._finish(event, *drive(self._course(event)), loop=False)

    async def handle_async(self, event: Any) -> Outcome:
        """What :meth:`handle` does, under asyncio; handlers may be coroutine functions."""
        return self._finish(event, *await drive_async(self._course(event)), loop=True)

    def close(self, timeout: float = 5.0) -> None:
        """Wait for shadow calls, and for a rollback that is being started."""
        self._beside.close(timeout)
        self.fallback.close(timeout)

    async def aclose(self, timeout: float = 5.0) -> None:
        """What :meth:`close` does, under asyncio."""
        await self._beside.aclose(timeout)
        await asyncio.to_thread(self.close, timeout)

    def _course(self, event: Any) -> Steps[tuple[Outcome, Decision | None]]:
        """The outcome, and the decision it rests on if this delivery was the one served."""
        kind = self._kind(event)
        if not isinstance(kind, str) or kind not in self._accept:
            return Outcome("ignored", reason=f"kind {kind!r} is not accepted"), None
        item, key = self._item(event), self._key(event)
        # The side may yet change: it is decided once the claim is there.
        likely = self._router.route(key).system
        claim = yield Ask(partial(self._claims.claim, item, self._owner, likely))
        if claim is None:
            return recorded((yield self._state_of(item))), None
        with self._keeper.keeping(claim):
            try:
                outcome, decision = yield from self._sides.serve(event, item, key)
                yield Ask(
                    partial(self._claims.complete, claim, outcome.result, system=outcome.system)
                )
            except StaleClaim as error:
                # Too slow: another owner has the item by now, so this result is nobody's.
                _log.warning("%s", error)
                return recorded((yield self._state_of(item))), None
            except (Exception, asyncio.CancelledError):
                yield Ask(partial(self._give_back, claim))
                raise
        return outcome, decision

    def _state_of(self, item: str) -> Ask:
        return Ask(partial(self._claims.state, item))

    def _give_back(self, claim: Claim) -> None:
        try:
            self._claims.release(claim)
        except (DependencyUnavailable, StaleClaim) as error:
            # What made us give it back is raised; the claim ends with its lease.
            _log.warning("%s: the claim was not released: %s", claim.item, error)

    def _finish(
        self, event: Any, outcome: Outcome, decision: Decision | None, *, loop: bool
    ) -> Outcome:
        with self._counting:
            self.counters[outcome.status] += 1
            self.counters["fallback"] += outcome.fallback
        if decision is not None and decision.shadow:
            self._beside.after(event, outcome, decision, loop=loop)
        return outcome


def _field(name: str, event: Any) -> Any:
    return event.get(name) if isinstance(event, Mapping) else None

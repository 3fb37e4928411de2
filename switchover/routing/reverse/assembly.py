"""The proxy of a plan, put together: two systems, the router between them, the shadow beside."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchover.errors import DependencyUnavailable
from switchover.plan.spec import Plan
from switchover.routing.asgi.incident import CandidateFailure
from switchover.routing.asgi.keys import FieldKey
from switchover.routing.asgi.measure import Records
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.reverse.limits import Limits
from switchover.routing.reverse.proxy import HEALTH, ReverseProxy
from switchover.routing.reverse.upstream import Upstream
from switchover.routing.router import Router
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_pairs import PairRecorder

_log = logging.getLogger("switchover.proxy")

#: Attempts to have the rollback written, and seconds between two of them.
ATTEMPTS, PAUSE = 5, 1.0


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What the operator decides; the plan says the rest.

    ``failures`` of the candidate in a row are an incident. It has ``candidate_within`` seconds
    to begin an answer that legacy could give instead. ``noise`` is the share of the shadowed
    requests that legacy gets twice. See ``Limits``, ``Upstream`` and ``Shadow`` for the others.
    """

    limits: Limits = field(default_factory=Limits)
    failures: int = 5
    candidate_within: float | None = None
    shadows: int = 16
    shadow_deadline: float = 2.0
    noise: float = 0.0
    expose: bool = False
    keep_host: bool = True
    trusted: bool = False
    health_path: str = HEALTH


class ProxyRecorder(Records, PairRecorder, Protocol):
    """What the proxy records with: ``switchover.Recorder``."""


class Halts(Protocol):
    """The part of the routing store that stops a migration."""

    def halt(
        self, migration: str, *, halt_id: str, actor: str, reason: str, at: float, trigger: str = ""
    ) -> Any: ...


class RollBack:
    """Rolls back when the candidate fails while it serves alone (T4).

    While the split decides, the judge has legacy to compare with and does it. The halt is
    named by the epoch, so that any number of proxies make one.
    """

    def __init__(self, router: Router, store: Halts) -> None:
        self._router, self._store = router, store

    async def __call__(self, failure: CandidateFailure) -> None:
        if self._router.mode != "candidate_only" or self._router.epoch != failure.epoch:
            return
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await asyncio.to_thread(
                    self._store.halt,
                    self._router.migration,
                    halt_id=f"{self._router.migration}-candidate-{failure.epoch}",
                    actor="switchover proxy",
                    reason=f"the candidate failed {failure.failures} times: {failure.reason}",
                    at=time.time(),
                    trigger="candidate_failure",
                )
                return
            except DependencyUnavailable as error:
                _log.error("the rollback is not written (attempt %d): %s", attempt, error)
                await asyncio.sleep(PAUSE)


def build_proxy(
    plan: Plan,
    router: Router,
    recorder: ProxyRecorder | None = None,
    store: Halts | None = None,
    options: ProxyOptions | None = None,
) -> ReverseProxy:
    """The proxy between the plan's systems, as an ASGI application with a lifespan."""
    chosen = options or ProxyOptions()
    via = f"switchover-{plan.migration}"

    def upstream(name: str, url: str) -> Upstream:
        return Upstream(
            url,
            name,
            limits=chosen.limits,
            via=via,
            keep_host=chosen.keep_host,
            trusted=chosen.trusted,
        )

    shadow = Shadow(
        recorder,
        concurrency=chosen.shadows,
        queue=4 * chosen.shadows,
        deadline=chosen.shadow_deadline,
        noise=chosen.noise,
        allow=plan.repeatable,
    )
    both = SwitchoverMiddleware(
        upstream("legacy", plan.systems.legacy.url),
        router,
        upstream("candidate", plan.systems.candidate.url),
        key=FieldKey(plan.request_key.field),
        recorder=recorder,
        shadow=shadow,
        on_candidate_failure=RollBack(router, store) if store is not None else None,
        repeatable=plan.repeatable,
        start_within=chosen.candidate_within,
        threshold=chosen.failures,
        expose=chosen.expose,
    )

    def health() -> dict[str, Any]:
        return {
            "ok": True,
            "migration": plan.migration,
            "mode": router.mode,
            "epoch": router.epoch,
            # Not a reason to take the proxy out: without it everything goes to legacy.
            "routing": "confirmed" if router.healthy else "unconfirmed",
            "shadow": dict(shadow.counters) | {"pending": shadow.pending},
            "candidate": dict(both.incident.counters),
        }

    return ReverseProxy(
        both, health=health, limits=chosen.limits, via=via, health_path=chosen.health_path
    )

"""The proxy of a plan, put together: two systems, the router between them, the shadow beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from switchover.plan.spec import Plan
from switchover.routing.asgi.keys import FieldKey
from switchover.routing.asgi.measure import Records
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.breaker import Breaker
from switchover.routing.fallback import Halts, halt_in
from switchover.routing.reverse.limits import Limits
from switchover.routing.reverse.proxy import HEALTH, ReverseProxy
from switchover.routing.reverse.upstream import Upstream
from switchover.routing.router import Router
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_pairs import PairRecorder

#: Seconds for which a failing candidate is left alone before a request tries it.
COOL_DOWN = 5.0


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
        on_candidate_failure=halt_in(store, "switchover proxy") if store is not None else None,
        rollback_after=chosen.failures,
        breaker=Breaker(consecutive=chosen.failures, cool_down=COOL_DOWN, probes=1),
        repeatable=plan.repeatable,
        start_within=chosen.candidate_within,
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
            "candidate": dict(both.fallback.counters) | {"breaker": both.fallback.breaker.state},
        }

    return ReverseProxy(
        both, health=health, limits=chosen.limits, via=via, health_path=chosen.health_path
    )

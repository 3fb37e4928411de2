"""What Prometheus gets to see of the routing plane, through the real client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from switchover.machine.snapshot import Snapshot
from switchover.routing.breaker import Breaker
from switchover.routing.fallback import Fallback
from switchover.routing.metrics import RouterCollector
from switchover.routing.router import Router
from switchover.routing.shadow import Shadow

#: Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def router() -> Router:
    return Router("mood", NOWHERE)


def scraped(collector: RouterCollector) -> dict[tuple[str, ...], float]:
    """Every sample as Prometheus reads it: name and label values to its number."""
    registry = CollectorRegistry()
    registry.register(collector)
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.req("INV3")
def test_refused_documents_are_a_metric(router: Router) -> None:
    """Each by its kind, from the first scrape on, so that an alert has something to compare."""
    seen = scraped(RouterCollector(router))
    assert seen["switchover_router_documents_total", "mood", "malformed"] == 0
    assert ("switchover_router_staleness_seconds", "mood") not in seen
    router._held.take(Snapshot("mood", 7).to_json())
    router._held.take("{")
    seen = scraped(RouterCollector(router))
    assert {
        outcome: count
        for (name, *labels), count in seen.items()
        if name == "switchover_router_documents_total"
        for outcome in labels[1:]
    } == {"taken": 1, "malformed": 1, "older": 0, "missing": 0}
    assert seen["switchover_router_epoch", "mood"] == 7
    assert seen["switchover_router_staleness_seconds", "mood"] >= 0


@pytest.mark.req("INV7")
def test_staleness_is_a_metric(router: Router) -> None:
    """Whether legacy serves for lack of a document, and how often that began."""
    router._held.take(Snapshot("mood", 7).to_json())
    router._started = True
    assert scraped(RouterCollector(router))["switchover_router_stale", "mood"] == 0
    router._held.expire(-1.0)
    seen = scraped(RouterCollector(router))
    assert seen["switchover_router_stale", "mood"] == 1
    assert seen["switchover_router_stale_periods_total", "mood"] == 1


@pytest.mark.req("T4")
def test_failing_candidate_is_a_metric(router: Router) -> None:
    """Failures, calls that were not made, and the breaker's state."""
    kept = Fallback(router, breaker=Breaker(consecutive=1))
    kept.failed(kept.admit(), router.route("a"), "a", RuntimeError())
    kept.admit()
    seen = scraped(RouterCollector(router, fallback=kept))
    assert seen["switchover_candidate_failures_total", "mood"] == 1
    assert seen["switchover_candidate_blocked_total", "mood"] == 1
    assert seen["switchover_candidate_incidents_total", "mood"] == 0
    assert seen["switchover_breaker_opened_total", "mood"] == 1
    states = {key[2]: n for key, n in seen.items() if key[0] == "switchover_breaker_state"}
    assert states == {"closed": 0, "open": 1, "half_open": 0}


@pytest.mark.req("INV9")
def test_shadow_calls_of_several_migrations_are_one_metric(router: Router) -> None:
    """The migration is a label, so that a family stands once in what is scraped."""

    async def collector() -> RouterCollector:
        async def answer() -> Any:
            return "x"

        one, two = Shadow(), Shadow()
        one.after("legacy", "x", answer)
        two.after("legacy", "x", answer, method="POST")
        await one.drain()
        made = RouterCollector(router, shadow=one)
        made.add(Router("agents", NOWHERE), shadow=two)
        return made

    seen = scraped(asyncio.run(collector()))
    assert seen["switchover_shadow_calls_total", "mood", "ok"] == 1
    assert seen["switchover_shadow_calls_total", "agents", "unsafe"] == 1
    assert seen["switchover_router_epoch", "agents"] == 0

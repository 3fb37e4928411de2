"""What routing counts, for Prometheus: needs ``prometheus_client``, as nothing else here does.

    from prometheus_client import REGISTRY

    REGISTRY.register(RouterCollector(router, fallback=app.fallback, shadow=shadow))

Everything is read when Prometheus asks; a decision costs nothing more than before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from switchover.routing.breaker import STATES
from switchover.routing.fallback import Fallback
from switchover.routing.router import Router
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_thread import ThreadShadow

#: What can become of a document that a router sees.
OUTCOMES = ("taken", "malformed", "older", "missing")

Family = CounterMetricFamily | GaugeMetricFamily
AnyShadow = Shadow | ThreadShadow


class _Sample(NamedTuple):
    """One number; ``label`` is the name and value of what tells it from others of its family."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    what: str
    value: float
    label: tuple[str, ...] = ()


class RouterCollector(Collector):
    """The counters of a router and of what stands around it, labelled with its migration.

    One collector serves a process: :meth:`add` takes further routers.
    """

    def __init__(
        self, router: Router, *, fallback: Fallback | None = None, shadow: AnyShadow | None = None
    ) -> None:
        self._watched: list[tuple[Router, Fallback | None, AnyShadow | None]] = []
        self.add(router, fallback=fallback, shadow=shadow)

    def add(
        self, router: Router, *, fallback: Fallback | None = None, shadow: AnyShadow | None = None
    ) -> None:
        """Watch another router too."""
        self._watched.append((router, fallback, shadow))

    def collect(self) -> Iterator[Family]:
        families: dict[str, Family] = {}
        for router, fallback, shadow in self._watched:
            samples = [*_routing(router)]
            if fallback is not None:
                samples += _candidate(fallback)
            if shadow is not None:
                samples += _shadow(shadow)
            for kind, name, what, value, label in samples:
                family = families.get(name) or kind(name, what, labels=("migration", *label[:1]))
                families[name] = family
                family.add_metric([router.migration, *label[1:]], value)
        yield from families.values()


def _routing(router: Router) -> Iterator[_Sample]:
    counted = router.counters
    for outcome in OUTCOMES:
        yield _Sample(
            CounterMetricFamily,
            "switchover_router_documents",
            "Routing documents seen, by what became of them.",
            counted[outcome],
            ("outcome", outcome),
        )
    yield _Sample(
        CounterMetricFamily,
        "switchover_router_stale_periods",
        "How often legacy took over as no document was confirmed.",
        counted["stale"],
    )
    yield _Sample(
        CounterMetricFamily,
        "switchover_router_unknown_flags",
        "Evaluations of feature flags that nobody defines.",
        counted["unknown_flag"],
    )
    yield _Sample(
        GaugeMetricFamily,
        "switchover_router_epoch",
        "Epoch of the last routing document taken.",
        router.epoch,
    )
    yield _Sample(
        GaugeMetricFamily,
        "switchover_router_stale",
        "1 while Redis does not confirm the routing document, else 0.",
        not router.healthy,
    )
    if (staleness := router.staleness) is not None:
        yield _Sample(
            GaugeMetricFamily,
            "switchover_router_staleness_seconds",
            "Seconds since Redis confirmed the routing document.",
            staleness,
        )


def _candidate(fallback: Fallback) -> Iterator[_Sample]:
    for name, what in (
        ("failures", "Calls in which the candidate failed."),
        ("blocked", "Calls of the candidate that were not made, as it kept failing."),
        ("incidents", "Incidents, each of which starts a rollback."),
    ):
        count = fallback.counters[name]
        yield _Sample(CounterMetricFamily, f"switchover_candidate_{name}", what, count)
    yield _Sample(
        CounterMetricFamily,
        "switchover_breaker_opened",
        "How often the circuit breaker opened.",
        fallback.breaker.opened,
    )
    now = fallback.breaker.state
    for state in STATES:
        yield _Sample(
            GaugeMetricFamily,
            "switchover_breaker_state",
            "1 for the state that the circuit breaker is in, else 0.",
            state == now,
            ("state", state),
        )


def _shadow(shadow: AnyShadow) -> Iterator[_Sample]:
    for outcome, count in sorted(dict(shadow.counters).items()):
        yield _Sample(
            CounterMetricFamily,
            "switchover_shadow_calls",
            "Requests shown to the other system, by what came of it.",
            count,
            ("outcome", outcome),
        )

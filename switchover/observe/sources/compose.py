"""The sources of a plan, ready to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from switchover.observe.sources.http import HttpJson
from switchover.observe.sources.prometheus import Prometheus
from switchover.observe.sources.sql import Connect, SqlRows
from switchover.plan.sources import HttpSource, PrometheusSource
from switchover.plan.spec import Plan
from switchover.plan.stages import compile_gates
from switchover.ports import MetricSource


def open_sources(
    plan: Plan, environment: Mapping[str, str], connect: Connect
) -> Sequence[MetricSource]:
    """An adapter for each source, in order; nothing is asked yet."""
    found: list[MetricSource] = []
    for source in plan.sources:
        if isinstance(source, PrometheusSource):
            found.append(Prometheus(plan.migration, source, environment, _limits(plan)))
        elif isinstance(source, HttpSource):
            found.append(HttpJson(plan.migration, source, environment))
        else:
            found.append(SqlRows(plan.migration, source, connect))
    return found


def _limits(plan: Plan) -> dict[str, set[float]]:
    """What quantile gates hold each metric to."""
    limits: dict[str, set[float]] = {}
    for gate in compile_gates(plan):
        if gate.kind == "quantile":
            limits.setdefault(gate.metric, set()).update((gate.limit, gate.to_promote))
    return limits

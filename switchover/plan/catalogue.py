"""Metrics that Switchover knows by name (O1), with the gate each one means by default (O2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: How a gate judges its metric; see ``switchover.judge``.
GateKind = Literal[
    "proportion",
    "quantile",
    "mean",
    "relative_rate",
    "relative_quantile",
    "paired",
    "drift",
    "memory",
    "count",
    "sample_ratio",
]

#: What is recorded for the kinds that read it; sample_ratio counts anything.
FORMS: Mapping[str, str] = {
    "proportion": "yes or no",
    "relative_rate": "yes or no",
    "count": "yes or no",
    "quantile": "numbers",
    "relative_quantile": "numbers",
    "mean": "numbers",
    "drift": "numbers",
    "memory": "numbers",
    "paired": "the outcomes of both systems",
}

#: Agreement of both systems, and of legacy with itself: what recorders compare.
AGREEMENT, NOISE = "prediction_agreement_rate", "noise_rate"


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue.

    ``at_least``/``at_most`` is the default limit in the metric's unit (a share for yes/no
    metrics, seconds for durations). ``quantile`` matters to quantile kinds only.
    """

    name: str
    kind: GateKind
    unit: Literal["share", "seconds", "bytes", "events", "requests"]
    meaning: str
    at_least: float | None = None
    at_most: float | None = None
    quantile: float = 0.99


_ALL = (
    Metric(AGREEMENT, "proportion", "share",
           "share of pairs in which both systems give the same answer", at_least=0.85),
    Metric("prediction_latency_p99", "quantile", "seconds",
           "time to answer, 99th percentile", at_most=0.2),
    Metric("response_time_p95", "quantile", "seconds",
           "time to answer, 95th percentile", at_most=2.0, quantile=0.95),
    Metric("duration_avg", "mean", "seconds",
           "time that a piece of work takes, on average", at_most=600.0),
    Metric("cds_integration_errors", "count", "events",
           "answers that a consumer's adapter or contract refused", at_most=0.0),
    Metric("isolation_violations", "count", "events",
           "answers that showed one user's data to another", at_most=0.0),
    Metric("memory_usage_delta", "memory", "bytes",
           "resident memory of the candidate against the legacy system", at_most=0.2),
    Metric("success_rate", "proportion", "share",
           "share of requests that succeeded", at_least=0.7),
    Metric("error_rate", "proportion", "share",
           "share of requests that failed", at_most=0.01),
    Metric("event_delivery_rate", "proportion", "share",
           "share of events that were delivered", at_least=0.98),
    Metric("quality_score", "proportion", "share",
           "share of results that were accepted", at_least=0.7),
    Metric("pr_acceptance_rate", "proportion", "share",
           "share of pull requests that were merged", at_least=0.7),
    Metric("build_success_rate", "proportion", "share",
           "share of builds that succeeded", at_least=0.7),
    Metric("execution_success_rate", "proportion", "share",
           "share of started pieces of work that were finished", at_least=0.9),
    Metric("integration_test_rate", "proportion", "share",
           "share of integration tests that passed", at_least=0.8),
    Metric("authentication_rate", "proportion", "share",
           "share of logins and tokens that were accepted", at_least=0.95),
    Metric(NOISE, "proportion", "share",
           "share of requests that legacy, asked twice, answers alike"),
    Metric("requests_served", "sample_ratio", "requests",
           "one for each request, under the system that served it", at_most=0.02),
)  # fmt: skip

#: The catalogue by name.
METRICS = {metric.name: metric for metric in _ALL}

from __future__ import annotations

import pytest

from switchover.reporting import figures


@pytest.mark.req("P11")
@pytest.mark.parametrize(
    ("value", "kind", "metric", "said"),
    [
        (0.00034, "quantile", "prediction_latency_p99", "340 µs"),
        (2.4321, "quantile", "response_time_p95", "2.43 s"),
        (0.25, "quantile", "search_time", "250 ms"),
        (1234.5, "mean", "queue_length", "1,234"),
        (1.23456, "relative_rate", "success_rate", "1.23 ×"),
        (-0.031, "memory", "memory_usage_delta", "-3.1 %"),
        (0.0, "count", "cds_integration_errors", "0"),
        (None, "proportion", "success_rate", "–"),
    ],
)
def test_metric_values_have_their_unit(
    value: float | None, kind: str, metric: str, said: str
) -> None:
    """A gate's kind and metric give the unit; three digits are enough."""
    assert figures.metric_value(value, kind, metric) == said


@pytest.mark.req("P11")
@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "< 0.01"), (0.0421, "0.0421"), (37.2, "37.2"), (1200, "1,200"), (1e300, "> 1,000,000")],
)
def test_evidence_is_short_at_any_size(value: float, said: str) -> None:
    """Evidence spans hundreds of orders of magnitude and stays readable."""
    assert figures.evidence(value) == said


@pytest.mark.req("P11")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "–"),
        (0.5, "500 ms"),
        (45, "45 s"),
        (90, "1 min 30 s"),
        (86_400, "24 h"),
        (5430, "1 h 30 min"),
    ],
)
def test_durations_are_in_large_units(value: float, said: str) -> None:
    """Bake times of days and of demo seconds both read naturally."""
    assert figures.duration(value) == said

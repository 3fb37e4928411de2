"""Prometheus: counters and histograms by their raw samples, series by series; gauges at once.

``increase()`` extrapolates and ``sum()`` hides restarts, so both are done here: the samples of a
range selector are what was scraped, and their differences add up to the true counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil, fsum, inf
from typing import Any

import httpx

from switchover.judge.sketch import value_of
from switchover.observe.sources.counters import Series, counts, growth, named, number
from switchover.observe.sources.fetch import Fetcher
from switchover.observe.sources.histogram import decumulated, grown, missing_bound, sketch_of
from switchover.observe.sources.span import Span, answered, due
from switchover.plan.selector import label_names, metric_name
from switchover.plan.sources import PrometheusSource as Spec
from switchover.plan.sources import PromQL, feeds
from switchover.ports import Mark, Reading

#: Samples that came late, and those to begin from, are looked for so far back, in seconds.
_LOOKBACK = 300.0
_FOREIGN = "it answers, but not as Prometheus does; check the url"


class Prometheus:
    """One source of kind ``prometheus``. ``limits`` are those of a metric's quantile gates, which
    must be bounds of its histogram."""

    def __init__(
        self,
        migration: str,
        spec: Spec,
        environment: Mapping[str, str],
        limits: Mapping[str, Collection[float]],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = spec.name
        self._migration, self._spec, self._limits = migration, spec, limits
        self._fetcher = Fetcher(spec.name, spec.timeout, environment, spec.token, transport)

    def read(self, marks: Mapping[str, Mark], *, since: float, now: float) -> list[Reading]:
        """Read what is due; see :class:`switchover.ports.MetricSource`."""
        spec = self._spec
        spans = due(
            self._migration, self.name, feeds(spec), marks,
            since=since, until=now - spec.delay, every=spec.every,
        )  # fmt: skip
        return answered(spans, self._answer, timeout=spec.timeout, what="answers")

    def _answer(self, span: Span) -> Reading:
        try:
            return self._read(span)
        except (TypeError, LookupError, AttributeError) as error:
            raise ValueError(_FOREIGN) from error

    def _read(self, span: Span) -> Reading:
        way = span.feed.way
        assert isinstance(way, PromQL)  # the plan's model of this kind
        if way.buckets is not None:
            return self._histogram(span, way.buckets)
        if way.total is not None:
            return self._counters(span, way.total, way.bad)
        assert way.gauge is not None  # exactly one of the three is there
        values = _values(self._ask(way.gauge, span.end))
        if not values:
            return _absent(span, "gauge", way.gauge)
        return span.reading([span.values(span.feed.systems[0], values)])

    def _counters(self, span: Span, total: str, bad: str | None) -> Reading:
        # The bad ones first: what is scraped in between is then missing there, and not in total.
        failed = [] if bad is None else self._series(span, bad)
        all_of_them = self._series(span, total)
        if not all_of_them:
            return _absent(span, "total", total)
        if bad is not None and not failed:
            _check_absent(bad, total, all_of_them)
        memory = span.memory or {"total": None, "bad": None}
        served = growth(memory["total"], all_of_them, span.end, span.since)
        worse = growth(memory["bad"], failed, span.end, span.since)
        n, m = counts(served.sum, worse.sum)
        return span.reading(
            [span.block(span.feed.systems[0], n, m)], {"total": served.known, "bad": worse.known}
        )

    def _histogram(self, span: Span, selector: str) -> Reading:
        found = self._series(span, selector)
        if not found:
            return _absent(span, "buckets", selector)
        growth_of = grown(span.memory, found, span.end, span.since)
        buckets = decumulated(growth_of.counts)
        bounds = [bound for bound, _ in buckets]
        limit = missing_bound(bounds, self._limits.get(span.feed.metric, ()))
        if limit is not None:
            known = ", ".join(f"{bound:g}" for bound in bounds)
            raise ValueError(
                f"the histogram has no bound at a gate's limit {limit:g}, only {known}; change "
                "the limit or the buckets"
            )
        sketch = sketch_of(buckets)
        values = [(value_of(bucket), count) for bucket, count in sketch.items()]
        finite = [(value, count) for value, count in values if value < inf]
        block = span.block(
            span.feed.systems[0],
            sum(sketch.values()),
            total=fsum(value * count for value, count in finite),
            total_squares=fsum(value * value * count for value, count in finite),
            sketch=sketch,
        )
        return span.reading([block], growth_of.known)

    def _series(self, span: Span, selector: str) -> list[Series]:
        """The samples of every series since the span began, and some from before."""
        seconds = ceil(span.end - span.start + _LOOKBACK)
        rows = self._ask(f"{selector}[{seconds}s]", span.end)
        found = []
        for row in rows:
            labels = {str(name): str(value) for name, value in row["metric"].items()}
            samples = [(number(at), float(value)) for at, value in row["values"]]
            found.append(Series(named(labels), labels, sorted(samples)))
        return found

    def _ask(self, query: str, at: float) -> list[Any]:
        """The rows of an instant query."""
        answer = self._fetcher.json(
            f"{self._spec.url.rstrip('/')}/api/v1/query", {"query": query, "time": f"{at:.3f}"}
        )
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise ValueError(_FOREIGN)
        if answer.get("warnings"):
            raise ValueError(f"it says that its answer may be partial: {answer['warnings'][0]}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        if not isinstance(data["result"], list):
            raise ValueError(_FOREIGN)
        return data["result"]


def _values(rows: Sequence[Any]) -> list[float]:
    return [number(float(row["value"][1])) for row in rows]


def _absent(span: Span, what: str, query: str) -> Reading:
    """No series at all: an error, unless there is newer time to look at, as after an outage."""
    if span.past:
        return span.nothing()
    raise ValueError(f"no series match {what}: {query}")


def _check_absent(bad: str, total: str, found: Sequence[Series]) -> None:
    """No bad event yet is nothing wrong; a misspelt selector would look the same."""
    known = {name for series in found for name in series.labels}
    strange = [name for name in label_names(bad) if name not in known]
    if metric_name(bad) != metric_name(total):
        raise ValueError(
            f"no series match bad: {bad}; export it from 0 on, or select from "
            f"{metric_name(total)} by a label"
        )
    if strange:
        raise ValueError(f"no series match bad: {bad}; {metric_name(total)} has no {strange[0]}")

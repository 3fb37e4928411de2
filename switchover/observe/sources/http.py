"""A JSON document: counters that only grow, or gauges, each at a path.

It has no history, so the first reading only remembers the counters, and what is counted between
a reading and a restart of the process is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.path import parse, spell
from switchover.observe.sources.counters import counts, number, step
from switchover.observe.sources.fetch import Fetcher
from switchover.observe.sources.span import Span, due, unreadable
from switchover.plan.sources import HttpSource as Spec
from switchover.plan.sources import JsonPaths, feeds
from switchover.ports import Mark, Reading


class HttpJson:
    """One source of kind ``http``; the document is read once for all its metrics."""

    def __init__(
        self,
        migration: str,
        spec: Spec,
        environment: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = spec.name
        self._migration, self._spec = migration, spec
        self._fetcher = Fetcher(spec.name, spec.timeout, environment, spec.token, transport)

    def read(self, marks: Mapping[str, Mark], *, since: float, now: float) -> list[Reading]:
        """Read what is due; see :class:`switchover.ports.MetricSource`."""
        spec = self._spec
        spans = list(
            due(
                self._migration, self.name, feeds(spec), marks,
                since=since, until=now, every=spec.every, history=False,
            )
        )  # fmt: skip
        if not spans:
            return []
        try:
            document = self._fetcher.json(spec.url)
        except (DependencyUnavailable, InputError) as error:
            return [span.failed(error) for span in spans]
        return [self._reading(span, document) for span in spans]

    def _reading(self, span: Span, document: Any) -> Reading:
        try:
            return _read(span, document)
        except ValueError as error:
            return span.failed(unreadable(self.name, str(error)))


def _read(span: Span, document: Any) -> Reading:
    way, system = span.feed.way, span.feed.systems[0]
    assert isinstance(way, JsonPaths)  # the plan's model of this kind
    if way.gauge is not None:
        return span.reading([span.values(system, [_at(document, way.gauge)])])
    assert way.total is not None  # without a gauge there are counters
    total = _counter(document, way.total)
    bad = 0.0 if way.bad is None else _counter(document, way.bad)
    counts(total, bad)  # whoever mixes the two up is told at the first reading
    if span.memory is None:
        return span.reading([], [total, bad])
    before, failed = span.memory
    if total < before or bad < failed:
        # One process counts both: it began anew, whichever shows it.
        before = failed = 0.0
    n, m = counts(step(before, total), step(failed, bad))
    return span.reading([span.block(system, n, m)], [total, bad])


def _counter(document: Any, path: str) -> float:
    value = _at(document, path)
    if value < 0:
        raise ValueError(f"{path} is {value:g}, which is no counter")
    return value


def _at(document: Any, path: str) -> float:
    """The number at ``path``; raises ``ValueError`` where there is none."""
    steps = parse(path)
    for place, key in enumerate(steps):
        try:
            if isinstance(document, str):
                raise TypeError
            document = document[key]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"there is no {spell(steps[: place + 1])} in the document") from None
    try:
        return number(document)
    except ValueError as error:
        raise ValueError(f"{path} has {error}") from None

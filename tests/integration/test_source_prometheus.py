from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from switchover.judge.sketch import above
from switchover.observe.sources.prometheus import Prometheus
from switchover.plan.sources import PrometheusSource
from switchover.ports import Mark, Reading
from tests.integration.sources.running import Running, running_prometheus, serving

pytestmark = pytest.mark.req("O6")

#: Each test has a version of its own, as samples of the others are still there.
VERSIONS = count(2)


def rate(version: str) -> dict[str, Any]:
    return {
        "metric": "success_rate",
        "candidate": {
            "total": f'requests_total{{version="{version}"}}',
            "bad": f'requests_total{{version="{version}",code=~"5.."}}',
        },
    }


class Counted:
    """The counters of one version, by code."""

    def __init__(self, running: Running) -> None:
        self.running, self.version = running, f"v{next(VERSIONS)}"

    def show(self, **codes: int) -> float:
        """Let the exporter tell ``c200=…``, and wait until Prometheus does."""
        for code, number in codes.items():
            name = f'requests_total{{code="{code[1:]}",version="{self.version}"}}'
            self.running.series[name] = number
        return self.running.settled()

    def reader(self, since: float) -> Reader:
        return Reader(source(self.running, rate(self.version)), since)


@pytest.fixture(scope="module")
def server(program: Callable[[str], Path]) -> Iterator[Running]:
    with running_prometheus(program("prometheus")) as running:
        yield running


@pytest.fixture
def prometheus(server: Running) -> Running:
    """The server with an exporter that tells nothing yet."""
    server.series.clear()
    return server


@pytest.fixture
def counted(prometheus: Running) -> Counted:
    return Counted(prometheus)


def source(prometheus: Running, *metrics: dict[str, Any], limit: float = 0.2) -> Prometheus:
    spec = {"name": "prod", "kind": "prometheus", "url": prometheus.url, "delay": "0s",
            "every": "1ms", "metrics": list(metrics)}  # fmt: skip
    limits = {"prediction_latency_p99": {limit}}
    return Prometheus("demo", PrometheusSource.model_validate(spec), {}, limits)


class Reader:
    """Reads a source again and again, as a collector that never crashes does."""

    def __init__(self, adapter: Prometheus, since: float) -> None:
        self.adapter, self.since = adapter, since
        self.marks: dict[str, Mark] = {}

    def read(self, now: float) -> Reading:
        (reading,) = self.adapter.read(self.marks, since=self.since, now=now)
        if reading.mark is not None:
            self.marks[reading.feed] = reading.mark
        return reading

    def counts(self, now: float) -> tuple[int, int]:
        reading = self.read(now)
        assert reading.error == ""
        return reading.blocks[0].n, reading.blocks[0].bad


def test_counters_of_a_real_prometheus_become_exact_counts(counted: Counted) -> None:
    """The first look at each series is where counting begins; a code that appears later counts
    from zero, and a restart gives no negative count."""
    reader = counted.reader(counted.show())
    assert reader.counts(counted.show(c200=100)) == (0, 0)
    assert reader.counts(counted.show(c200=140, c500=2)) == (42, 2)
    assert reader.counts(counted.show()) == (0, 0)
    assert reader.counts(counted.show(c200=5, c500=1)) == (6, 1)


def test_what_was_counted_before_the_attempt_does_not_count(counted: Counted) -> None:
    """Samples from before are seen when one looks back."""
    counted.show(c200=1000, c500=400)
    reader = counted.reader(counted.show(c200=1007))
    assert reader.counts(counted.show(c200=1010, c500=401)) == (4, 1)


def test_a_lost_reading_is_made_good_by_the_next(counted: Counted) -> None:
    """A collector that crashed before it wrote reads the same time again: same id, all events."""
    reader = counted.reader(counted.show())
    reader.counts(counted.show(c200=10))
    now = counted.show(c200=17)
    (lost,) = reader.adapter.read(reader.marks, since=reader.since, now=now)
    again = reader.read(counted.show(c200=20))
    assert again.blocks[0].id == lost.blocks[0].id
    assert (lost.blocks[0].n, again.blocks[0].n) == (7, 10)


def test_a_histogram_of_a_real_prometheus_becomes_a_sketch(prometheus: Running) -> None:
    """What lies above a limit that is a bound is exact; any other limit is an error."""
    name = 'seconds_bucket{{le="{}",version="v2"}}'
    metric = {"metric": "prediction_latency_p99", "candidate": {"buckets": "seconds_bucket"}}

    def show(*counts: int) -> float:
        for bound, number in zip(("0.1", "0.2", "0.5", "+Inf"), counts, strict=True):
            prometheus.series[name.format(bound)] = number
        return prometheus.settled()

    before = prometheus.settled()
    reader = Reader(source(prometheus, metric), before - 0.001)
    reader.read(show(0, 0, 0, 0))
    reading = reader.read(show(700, 990, 998, 1000))
    block = reading.blocks[0]
    assert (block.n, above(block.sketch, 0.1), above(block.sketch, 0.2)) == (1000, 300, 10)
    other = source(prometheus, metric, limit=0.3)
    (refused,) = other.read({}, since=before, now=prometheus.settled())
    assert "no bound at a gate's limit 0.3, only 0.1, 0.2, 0.5, inf" in refused.error


def test_a_gauge_is_any_promql(prometheus: Running) -> None:
    """One observation for each series of the result."""
    metric = {"metric": "memory_usage_delta",
              "candidate": {"gauge": "sum by (version) (memory_bytes)"}}  # fmt: skip
    before = prometheus.settled()
    prometheus.series.update({'memory_bytes{pod="a",version="v2"}': 3e8,
                              'memory_bytes{pod="b",version="v2"}': 5e8})  # fmt: skip
    block = Reader(source(prometheus, metric), before - 1).read(prometheus.settled()).blocks[0]
    assert (block.n, block.total) == (1, 8e8)


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"total": "unheard_of_total", "bad": "unheard_of_total"}, "no series match total"),
        ({"total": "requests_total", "bad": 'requests_total{status="500"}'},
         "requests_total has no status"),
        ({"total": "requests_total", "bad": "errors_total"}, "export it from 0 on"),
        ({"total": 'requests_total{code="500"}', "bad": "requests_total"}, "no part of total"),
        ({"total": "sum(requests_total)", "bad": "requests_total"}, "HTTP 400"),
        ({"gauge": "1/0"}, "inf where a number belongs"),
        ({"gauge": "requests_total{"}, "parse error"),
    ],
)  # fmt: skip
def test_a_question_without_a_sound_answer_is_an_error(
    prometheus: Running, candidate: dict[str, str], said: str
) -> None:
    """A misspelt selector would look like a service without failures."""
    before = prometheus.settled()
    first, second = Counted(prometheus), Counted(prometheus)
    reader = Reader(source(prometheus, {"metric": "success_rate", "candidate": candidate}), before)
    first.show(c200=3)
    reader.read(second.show(c500=1))
    reading = reader.read(first.show(c200=90))
    assert said in reading.error
    assert (reading.mark, reading.blocks) == (None, ())


@pytest.mark.req("INV6")
def test_after_an_outage_of_prometheus_the_counts_go_on(
    prometheus: Running, counted: Counted
) -> None:
    """While it is away the source is unreadable; what was counted meanwhile counts afterwards."""
    reader = counted.reader(counted.show())
    now = counted.show(c200=10)
    assert reader.counts(now) == (0, 0)
    prometheus.process.stop()
    away = reader.read(now + 60)
    assert "is it running?" in away.error
    assert (away.mark, away.blocks) == (None, ())
    prometheus.process.start()
    prometheus.process.wait_until(prometheus.ready, timeout=20)
    assert reader.counts(counted.show(c200=35, c500=4)) == (29, 4)


@pytest.mark.req("INV6")
def test_a_partial_or_foreign_answer_is_an_error() -> None:
    """Something else at the address, or a Thanos that could not ask all its stores."""
    pages = [b"{}", b'{"status":"success","data":{"resultType":"vector","result":[]},'
             b'"warnings":["no store for eu"]}', b'{"status":"success","data":[]}']  # fmt: skip
    said = ["not as Prometheus does", "no store for eu", "not as Prometheus does"]
    for page, words in zip(pages, said, strict=True):
        with serving(lambda _, page=page: (200, page, "application/json")) as port:
            spec = PrometheusSource.model_validate(
                {"name": "prod", "kind": "prometheus", "url": f"http://127.0.0.1:{port}/",
                 "metrics": [rate("v1")]}
            )  # fmt: skip
            (reading,) = Prometheus("demo", spec, {}, {}).read({}, since=0, now=1000)
            assert words in reading.error

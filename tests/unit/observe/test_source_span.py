from __future__ import annotations

import time

import httpx
import pytest

from switchover.observe.sources.prometheus import Prometheus
from switchover.observe.sources.span import LONGEST, Span, answered, due
from switchover.plan.sources import Feed, PrometheusSource, feeds
from switchover.ports import Mark, Reading

SPEC = PrometheusSource.model_validate(
    {"name": "prod", "kind": "prometheus", "url": "http://prometheus.test", "delay": "0s",
     "metrics": [{"metric": "success_rate", "candidate": {"total": "n", "bad": "n{ok='no'}"}}]}
)  # fmt: skip
(FEED,) = feeds(SPEC)


def spans(until: float, mark: Mark | None = None, feed: Feed = FEED, since: float = 0.0) -> list[
    tuple[float, float, bool]
]:  # fmt: skip
    marks = {} if mark is None else {feed.key: mark}
    found = due("demo", "prod", [feed], marks, since=since, until=until, every=15)
    return [(span.start, span.end, span.past) for span in found]


@pytest.mark.req("O6")
def test_a_span_begins_at_the_mark_and_ends_now() -> None:
    """Without a mark it begins with the attempt; before ``every`` is over there is none."""
    mark = Mark(100, FEED.digest)
    assert spans(60) == [(0, 60, False)]
    assert spans(160, mark) == [(100, 160, False)]
    assert spans(114, mark) == []
    assert spans(50, mark) == []


@pytest.mark.req("O6")
def test_what_an_outage_left_behind_is_read_in_pieces() -> None:
    """No question is larger than the source can answer."""
    assert spans(3 * LONGEST, Mark(100, FEED.digest)) == [(100, 100 + LONGEST, True)]


@pytest.mark.req("O6")
def test_a_changed_question_begins_anew() -> None:
    """And so does one whose mark is older than the attempt."""
    assert spans(500, Mark(100, "another"), since=50) == [(50, 500, False)]
    assert spans(500, Mark(100, FEED.digest), since=200) == [(200, 500, False)]


@pytest.mark.req("O6")
def test_a_block_is_named_by_where_it_begins() -> None:
    """However far it goes, and unlike that of another migration, source, system or question."""
    short, long = (
        next(due("demo", "prod", [FEED], {}, since=7, until=until, every=15)) for until in (60, 90)
    )
    other = next(due("demo", "eu", [FEED], {}, since=7, until=60, every=15))
    assert short.block("candidate", 1).id == long.block("candidate", 2).id
    assert len({short.block("legacy", 1).id, short.block("candidate", 1).id,
                other.block("candidate", 1).id}) == 3  # fmt: skip


@pytest.mark.req("O6")
def test_a_gap_that_prometheus_has_is_passed_over() -> None:
    """It was away itself for hours: the counts go on after the gap, and nothing hangs in it."""
    back = 3 * LONGEST + 900

    def answer(request: httpx.Request) -> httpx.Response:
        at = float(request.url.params["time"])
        rows = []
        if at >= back and "no" not in request.url.params["query"]:
            labels = {"__name__": "n", "ok": "yes"}
            rows = [{"metric": labels, "values": [[back - 1, "150"], [at, "170"]]}]
        data = {"resultType": "matrix", "result": rows}
        return httpx.Response(200, json={"status": "success", "data": data})

    source = Prometheus("demo", SPEC, {}, {}, httpx.MockTransport(answer))
    series = {"total": {}, "bad": {}}
    marks = {FEED.key: Mark(0, FEED.digest, series)}
    counted = 0
    for _ in range(4):
        (reading,) = source.read(marks, since=0, now=back)
        assert reading.error == ""
        assert reading.mark is not None
        marks[FEED.key] = reading.mark
        counted += reading.blocks[0].n
    assert (counted, marks[FEED.key].at) == (170, back)


@pytest.mark.req("INV5")
def test_many_slow_answers_do_not_hold_up_a_look() -> None:
    """What is asked after twice the timeout is over is not asked: a rollback waits for the look."""
    asked = 0

    def slow(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        time.sleep(0.03)
        return httpx.Response(500)

    metrics = [{"metric": f"rate_{n}", "candidate": {"total": "n", "bad": "n"}} for n in range(50)]
    spec = PrometheusSource.model_validate(
        {"name": "prod", "kind": "prometheus", "url": "http://prometheus.test", "timeout": "50ms",
         "metrics": metrics}
    )  # fmt: skip
    source = Prometheus("demo", spec, {}, {}, httpx.MockTransport(slow))
    readings = source.read({}, since=0, now=1000)
    assert len(readings) == 50
    assert asked < 10
    assert readings[0].error == "HTTP 500 from http://prometheus.test/api/v1/query"
    assert readings[-1].error == "the answers before this one took too long"


@pytest.mark.req("O6")
def test_a_source_tells_of_the_faults_it_names_and_of_no_others() -> None:
    """What is a bad answer differs by source; anything else is a fault of ours, and is raised."""

    def broken(_: Span) -> Reading:
        raise OverflowError("too far in the future")

    def read(faults: tuple[type[Exception], ...]) -> list[Reading]:
        spans = due("demo", "prod", [FEED], {}, since=0, until=60, every=15)
        return answered(spans, broken, timeout=5, what="answers", faults=faults)

    (reading,) = read((ValueError, OverflowError))
    assert (reading.error, reading.mark) == ("too far in the future", None)
    with pytest.raises(OverflowError):
        read((ValueError,))


@pytest.mark.req("O6")
def test_an_answer_of_another_shape_is_not_prometheus() -> None:
    """A list in place of an object, or rows without their fields, is an error with advice."""
    for body in ([], {"status": "success", "data": {"resultType": "matrix", "result": [{}]}}):
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, json=body))
        (reading,) = Prometheus("demo", SPEC, {}, {}, transport).read({}, since=0, now=60)
        assert reading.error == "it answers, but not as Prometheus does; check the url"

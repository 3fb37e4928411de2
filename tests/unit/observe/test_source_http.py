from __future__ import annotations

from typing import Any

import httpx
import pytest

from switchover.observe.sources import fetch
from switchover.observe.sources.http import HttpJson
from switchover.plan.sources import HttpSource
from switchover.ports import Mark, Reading

COUNTED = {
    "metric": "success_rate",
    "candidate": {"total": "v2.requests.total", "bad": "v2.requests.failed"},
}
GAUGE = {"metric": "memory_usage_delta", "candidate": {"gauge": "v2.memory[0]"}}
SECRET = "s3cr3t-token"


class Service:
    """Answers with ``document``, or with ``answer``; counts the requests and keeps the last."""

    def __init__(self) -> None:
        self.document: Any = {"v2": {"requests": {"total": 100, "failed": 4}, "memory": [5e8]}}
        self.answer: httpx.Response | Exception | None = None
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or httpx.Response(200, json=self.document)

    def count(self, total: int, failed: int) -> None:
        self.document["v2"]["requests"] = {"total": total, "failed": failed}

    def source(self, *metrics: dict[str, Any], **changes: Any) -> HttpJson:
        spec = {
            "name": "vendor", "kind": "http", "url": "http://vendor.test/metrics.json?key=k1",
            "metrics": list(metrics or (COUNTED,)), **changes,
        }  # fmt: skip
        return HttpJson(
            "demo", HttpSource.model_validate(spec), {"TOKEN": SECRET}, httpx.MockTransport(self)
        )


@pytest.fixture
def service() -> Service:
    return Service()


def only(readings: list[Reading]) -> Reading:
    assert len(readings) == 1
    return readings[0]


def first_mark(source: HttpJson) -> dict[str, Mark]:
    mark = only(source.read({}, since=0, now=100)).mark
    assert mark is not None
    return {"success_rate/candidate": mark}


@pytest.mark.req("O6")
def test_the_first_reading_only_remembers(service: Service) -> None:
    """What a counter counted before anybody looked is no evidence."""
    reading = only(service.source().read({}, since=0, now=100))
    assert reading.blocks == ()
    assert reading.mark is not None
    assert (reading.mark.at, reading.mark.memory) == (100, [100, 4])


@pytest.mark.req("O6")
def test_the_difference_of_two_readings_is_a_block(service: Service) -> None:
    """Its interval is the time between them."""
    source = service.source()
    marks = first_mark(source)
    service.count(150, 5)
    block = only(list(only(source.read(marks, since=0, now=160)).blocks))
    assert (block.n, block.bad, block.start, block.seconds) == (50, 1, 100, 60)
    assert (block.migration, block.metric, block.system) == ("demo", "success_rate", "candidate")


@pytest.mark.req("O6")
@pytest.mark.parametrize("total", [30, 120])
def test_a_restart_counts_from_zero_for_all_counters(service: Service, total: int) -> None:
    """If one fell, the process began anew: the other may have passed its old value already."""
    source = service.source()
    marks = first_mark(source)
    service.count(total, 2)
    block = only(list(only(source.read(marks, since=0, now=160)).blocks))
    assert (block.n, block.bad) == (total, 2)


@pytest.mark.req("O6")
def test_readings_keep_their_distance(service: Service) -> None:
    """Within ``every`` of the last one nothing is asked."""
    source = service.source(every="30s")
    marks = first_mark(source)
    assert source.read(marks, since=0, now=129) == []
    assert len(service.asked) == 1
    assert len(source.read(marks, since=0, now=130)) == 1


@pytest.mark.req("O6")
def test_a_mark_of_another_question_or_attempt_is_none(service: Service) -> None:
    """Counters of another address, or of before the attempt, have nothing to do with these."""
    source = service.source()
    marks = first_mark(source)
    other = service.source(url="http://other.test/")
    assert only(other.read(marks, since=0, now=200)).blocks == ()
    assert only(source.read(marks, since=150, now=200)).blocks == ()
    assert len(only(source.read(marks, since=100, now=200)).blocks) == 1


@pytest.mark.req("O6")
def test_one_document_serves_all_metrics_and_each_fails_alone(service: Service) -> None:
    """A gauge that is missing is an error of the gauge."""
    source = service.source(COUNTED, GAUGE)
    counted, gauge = source.read({}, since=0, now=100)
    assert len(service.asked) == 1
    assert (gauge.blocks[0].n, gauge.blocks[0].total) == (1, 5e8)
    service.document["v2"]["memory"] = []
    counted, gauge = source.read({}, since=0, now=100)
    assert counted.error == ""
    assert gauge.mark is None
    assert gauge.error == "there is no v2.memory[0] in the document"


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"v2": {"requests": {"total": "100", "failed": 4}}}, "a str where a number belongs"),
        ({"v2": {"requests": {"total": True, "failed": 0}}}, "a bool where a number belongs"),
        ({"v2": {"requests": {"total": -1, "failed": 0}}}, "no counter"),
        ({"v2": {"requests": {"total": 10, "failed": 11}}}, "no part of total"),
        ({"v2": {"requests": {"total": 10.5, "failed": 1}}}, "no number of events"),
        ({"v2": {"requests": {"total": 10}}}, "there is no v2.requests.failed"),
        ({"v2": "down"}, "there is no v2.requests"),
        ([], "there is no v2 "),
    ],
)
def test_a_document_that_is_not_as_the_plan_says_is_an_error(
    service: Service, document: Any, said: str
) -> None:
    """No part of it becomes a number."""
    service.document = document
    reading = only(service.source().read({}, since=0, now=100))
    assert said in reading.error
    assert (reading.mark, reading.blocks) == (None, ())


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(503, json={"error": "no leader"}), "HTTP 503 from http://vendor.test"),
        (httpx.Response(401), "does not let us in (HTTP 401); check env:TOKEN"),
        (httpx.Response(302, headers={"Location": "http://127.0.0.1/"}), "points elsewhere"),
        (httpx.Response(200, content=b"<html>"), "is not JSON"),
        (httpx.Response(200, content=b"[" * 100_000), "is not JSON"),
        (httpx.ReadTimeout("slow"), "no whole answer from http://vendor.test/metrics.json within"),
        (httpx.ConnectError("refused"), "refused at http://vendor.test/metrics.json"),
        (httpx.Response(500, json={"error": f"bad header {SECRET}"}), "bad header …"),
    ],
)
def test_an_answer_that_is_none_is_an_error_without_secrets(
    service: Service, answer: Any, said: str
) -> None:
    """Neither the token nor what follows the address' question mark is told."""
    service.answer = answer
    reading = only(service.source(token="env:TOKEN").read({}, since=0, now=100))
    assert said in reading.error
    assert SECRET not in reading.error
    assert "k1" not in reading.error
    assert service.asked[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert len(service.asked) == 1


@pytest.mark.req("INV6")
def test_an_answer_without_end_is_cut_off(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is larger than the limit is not read to its end."""
    monkeypatch.setattr(fetch, "LARGEST", 1_000_000)
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b" " * 100_000

    service.answer = httpx.Response(200, content=endless())
    assert "larger than 1 MB" in only(service.source().read({}, since=0, now=100)).error
    assert sent < 20


@pytest.mark.req("INV6")
@pytest.mark.parametrize(("value", "said"), [("", "is not set"), ("a\nb", "holds no token")])
def test_a_token_that_is_missing_or_broken_is_named_and_not_told(
    service: Service, value: str, said: str
) -> None:
    """Nothing is sent without it."""
    spec = HttpSource.model_validate(
        {"name": "v", "kind": "http", "url": "http://v.test/", "token": "env:TOKEN",
         "metrics": [COUNTED]}
    )  # fmt: skip
    source = HttpJson("demo", spec, {"TOKEN": value}, httpx.MockTransport(service))
    error = only(source.read({}, since=0, now=100)).error
    assert "TOKEN" in error
    assert said in error
    assert service.asked == []

"""The checks that ask a system, against real HTTP servers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from switchover.checks.runner import HttpCheckRunner
from switchover.errors import InputError
from switchover.plan.spec import Check, Plan
from switchover.ports import CheckResult
from switchover.testing.stand_in import StandInServer

Respond = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's ``respond`` says."""

    protocol_version = "HTTP/1.1"
    # Else headers and body go out in two packets, and the second waits for an acknowledgement.
    wbufsize = -1

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        server = self.server
        assert isinstance(server, Server)
        with server.lock:
            server.seen.append((self.command, self.path, body))
        server.respond(self, body)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815

    def reply(self, status: int, value: Any = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent: tests read what was seen."""


class Server(StandInServer):
    """A real server on loopback that remembers what it was asked."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, bytes]] = []
        self.respond: Respond = lambda handler, _: handler.reply(200, {"ok": True})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Callable[..., CheckResult]:
    """Run a check, written as in a plan, against the server as candidate."""

    def run_check(url: str = "", **check: Any) -> CheckResult:
        plan = Plan.model_validate(
            {
                "switchover": 1,
                "migration": "m",
                "title": "a test",
                "systems": {
                    "legacy": {"version": "1", "url": "http://127.0.0.1:9"},
                    "candidate": {"version": "2", "url": url or server.url},
                },
                "request_key": {"field": "id"},
                "gates": [{"metric": "success_rate", "at_least": 0.7}],
            }
        )
        parsed = TypeAdapter[Any](Check).validate_python({"name": "a check", **check})
        return HttpCheckRunner().run(parsed, plan, str(tmp_path))

    return run_check


Run = Callable[..., CheckResult]


@pytest.mark.req("P1")
def test_a_healthy_system_passes(run: Run, server: Server) -> None:
    """200 on the health path, the name and the time in the result."""
    result = run(kind="health")
    assert result.ok, result.summary
    assert result.name == "a check"
    assert result.seconds > 0
    assert "answers 200" in result.summary
    assert server.seen == [("GET", "/health", b"")]


@pytest.mark.req("P1")
@pytest.mark.parametrize("status", [204, 302, 404, 503])
def test_any_other_status_is_not_healthy(run: Run, server: Server, status: int) -> None:
    """Asked once: an answer is an answer."""
    server.respond = lambda handler, _: handler.reply(status, b"")
    result = run(kind="health")
    assert not result.ok
    assert f"status {status}" in result.summary
    assert len(server.seen) == 1


@pytest.mark.req("P1")
@pytest.mark.req("P10")
def test_health_is_asked_again_when_the_connection_breaks(run: Run, server: Server) -> None:
    """Two dropped connections, then 200: healthy at the third attempt."""

    def respond(handler: Handler, _: bytes) -> None:
        if len(server.seen) < 3:
            handler.close_connection = True
        else:
            handler.reply(200)

    server.respond = respond
    result = run(kind="health")
    assert result.ok, result.summary
    assert result.detail["attempts"] == 3


@pytest.mark.req("P1")
def test_a_system_that_is_down_is_a_result_that_says_what_to_do(run: Run) -> None:
    """No exception: the other checks go on."""
    result = run(kind="health", url="http://127.0.0.1:9")
    assert not result.ok
    assert "can't be reached in 4 attempts" in result.summary
    assert "start it" in result.summary


@pytest.mark.req("P1")
def test_a_system_that_drips_its_answer_runs_into_the_deadline(run: Run, server: Server) -> None:
    """Every byte is in time, the answer never is: the check's own deadline ends it."""
    gone = threading.Event()

    def respond(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000000")
        handler.end_headers()
        try:
            while not gone.wait(0.05):
                handler.wfile.write(b"x")
                handler.wfile.flush()
        except OSError:
            handler.close_connection = True

    server.respond = respond
    result = run(kind="health", timeout="300ms")
    gone.set()
    assert not result.ok
    assert "no answer within 0.3 s" in result.summary


@pytest.mark.req("P1")
def test_an_endless_answer_is_cut_off(run: Run, server: Server) -> None:
    """Memory is bounded, whatever the system sends."""

    def respond(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(2**40))
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 2**20)
        except OSError:
            handler.close_connection = True

    server.respond = respond
    result = run(kind="health")
    assert not result.ok
    assert "more than 8 MiB" in result.summary


@pytest.mark.req("P1")
def test_a_check_may_run_where_an_event_loop_runs_already(run: Run) -> None:
    """As when an async flow calls it."""

    async def flow() -> CheckResult:
        return run(kind="health")

    assert asyncio.run(flow()).ok


@pytest.mark.req("P1")
def test_latency_sends_bodies_in_turn_and_counts_no_warm_up(
    run: Run, server: Server, tmp_path: Path
) -> None:
    """300 answers counted, the warm-up on top, each body as often as the others."""
    (tmp_path / "bodies.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(3)))
    request = {"method": "POST", "path": "/predict", "json_file": "bodies.jsonl"}
    result = run(kind="latency", request=request, requests=300, concurrency=2, at_most="30s")
    assert result.ok, result.summary
    assert result.detail["answered"] == 300
    assert len(server.seen) == 306
    assert {body for _, _, body in server.seen[6:]} == {b'{"n": 0}', b'{"n": 1}', b'{"n": 2}'}
    assert result.detail["estimate"] <= result.detail["upper_bound"] <= 30
    assert "with 95 % confidence at most" in result.summary


@pytest.mark.req("P1")
@pytest.mark.req("INV6")
def test_a_benchmark_too_small_for_its_quantile_says_how_many_it_needs(run: Run) -> None:
    """200 answers, all fast, prove nothing about p99."""
    result = run(kind="latency", requests=200, at_most="30s")
    assert not result.ok
    assert "set requests to 299 or more" in result.summary


@pytest.mark.req("P1")
def test_a_slow_system_fails_on_the_bound(run: Run, server: Server) -> None:
    """Every answer takes 20 ms, 1 ms is allowed."""

    def respond(handler: Handler, _: bytes) -> None:
        time.sleep(0.02)
        handler.reply(200)

    server.respond = respond
    result = run(kind="latency", requests=20, quantile=0.5, concurrency=8, at_most="1ms")
    assert not result.ok
    assert "the limit is 1 ms" in result.summary
    assert result.detail["upper_bound"] >= 0.02


@pytest.mark.req("P1")
def test_a_good_estimate_with_a_bad_bound_does_not_pass(run: Run, server: Server) -> None:
    """9 of 20 answers are slow: the median is fast, and not surely so."""

    def respond(handler: Handler, _: bytes) -> None:
        counted = len(server.seen) - 3  # after the warm-up
        if 1 <= counted <= 9:
            time.sleep(0.2)
        handler.reply(200)

    server.respond = respond
    result = run(kind="latency", requests=20, quantile=0.5, concurrency=1, at_most="190ms")
    assert not result.ok
    assert result.detail["estimate"] < 0.19 <= result.detail["upper_bound"]
    assert "send more requests to be surer" in result.summary


@pytest.mark.req("P1")
def test_failed_requests_fail_a_benchmark_however_fast(run: Run, server: Server) -> None:
    """The first is shown with the line of its body; after ten the rest is not sent."""
    server.respond = lambda handler, _: handler.reply(500)
    result = run(kind="latency", requests=5000, concurrency=1, at_most="30s")
    assert not result.ok
    assert "10 of 10 requests failed, the first with status 500" in result.summary
    assert len(server.seen) == 13


@pytest.mark.req("P1")
def test_a_benchmark_that_runs_out_of_time_fails(run: Run, server: Server) -> None:
    """With how far it came."""

    def respond(handler: Handler, _: bytes) -> None:
        time.sleep(0.05)
        handler.reply(200)

    server.respond = respond
    result = run(kind="latency", requests=1000, timeout="1s", at_most="30s")
    assert not result.ok
    assert "of 1000 requests were answered within 1 s" in result.summary
    assert result.detail["answered"] < 1000


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("text", "message"),
    [("{}\n{oops\n", "bodies.jsonl:2: not JSON"), ("", "no line to read"), (None, "no such file")],
)
def test_a_bad_bodies_file_is_an_error_with_its_line(
    run: Run, tmp_path: Path, text: str | None, message: str
) -> None:
    """Our own mistake, not the system's."""
    if text is not None:
        (tmp_path / "bodies.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        run(kind="latency", request={"json_file": "bodies.jsonl"}, at_most="1s")


@pytest.fixture
def contract(tmp_path: Path) -> str:
    schema = {"required": ["risk"], "properties": {"risk": {"type": "number", "maximum": 1}}}
    (tmp_path / "contract.json").write_text(json.dumps(schema))
    return "contract.json"


@pytest.mark.req("P1")
@pytest.mark.req("C2")
def test_live_answers_that_keep_the_contract_pass(run: Run, server: Server, contract: str) -> None:
    """As many as were asked for."""
    server.respond = lambda handler, _: handler.reply(200, {"risk": 0.5})
    result = run(kind="contract", request={"path": "/predict"}, contract=contract)
    assert result.ok, result.summary
    assert result.detail["answered"] == 20


@pytest.mark.req("P1")
@pytest.mark.req("C2")
@pytest.mark.parametrize(
    ("status", "answer", "fault"),
    [
        (200, {"risk": 2}, "$.risk: the value is greater than the maximum of 1"),
        (200, {}, '$: "risk" is a required property'),
        (200, b"<html>", "the answer is not JSON"),
        (500, {"risk": 0.5}, "status 500"),
    ],
)
def test_live_answers_that_break_the_contract_are_shown(
    run: Run, server: Server, contract: str, status: int, answer: Any, fault: str
) -> None:
    """Every third answer is bad: counted, the first few shown by place."""

    def respond(handler: Handler, _: bytes) -> None:
        bad = len(server.seen) % 3 == 0
        handler.reply(*((status, answer) if bad else (200, {"risk": 0.5})))

    server.respond = respond
    result = run(kind="contract", request={}, contract=contract, requests=30)
    assert not result.ok
    assert result.detail["broken"] == 10
    assert [each["request"] for each in result.detail["examples"]] == [3, 6, 9, 12, 15]
    assert result.detail["examples"][0]["faults"] == [fault]
    assert fault in result.summary


@pytest.mark.req("P1")
def test_a_contract_that_does_not_load_is_an_error(run: Run) -> None:
    """It is the plan's mistake."""
    with pytest.raises(InputError, match="can't be read"):
        run(kind="contract", request={}, contract="none.json")

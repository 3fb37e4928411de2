from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from switchover.errors import InputError
from switchover.routing.reverse.assembly import ProxyOptions
from switchover.routing.reverse.limits import Limits
from switchover.routing.reverse.serve import listening
from tests.eventually import eventually


def raw(url: str, request: bytes, *, until: bytes = b"") -> bytes:
    """What the server sends for these very bytes, to its end or to ``until``."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), 10) as link:
        link.sendall(request)
        answer = b""
        while part := link.recv(65536):
            answer += part
            if until and until in answer:
                break
        return answer


@pytest.mark.req("T11")
def test_every_place_of_the_key_leads_to_the_same_side(world: Any) -> None:
    """Header, query, cookie and JSON body; without a key legacy serves."""
    url = world.proxy()
    with httpx.Client(base_url=url) as client:
        answers = [
            client.get("/", headers={"x-switchover-key": "c"}),
            client.get("/", params={"user": "c"}),
            client.get("/", headers={"cookie": "user=c"}),
            client.post("/", json={"user": "c"}),
        ]
        assert [answer.json()["by"] for answer in answers] == ["candidate"] * 4
        assert client.get("/").json() == {"by": "legacy"}
        assert client.get("/").headers["x-switchover-system"] == "legacy"

    def latencies() -> list[float]:
        return [v for m, v, _ in world.records.seen if m == "prediction_latency_p99"]

    # The last one is recorded after its answer has left.
    assert eventually(lambda: len(latencies()) == 6)
    assert world.records.successes()[:1] == [(True, "candidate")]
    assert all(0 < value < 10 for value in latencies())


@pytest.mark.req("T11")
def test_headers_pass_both_ways_without_those_of_the_connection(world: Any) -> None:
    """Cookies stay two, private fields go, and the system learns who called."""
    url = world.proxy()
    answer = httpx.get(
        f"{url}/a%2Fb/../c//d?x=1&y=%20",
        headers={"connection": "x-hop", "x-hop": "1", "x-end": "2", "te": "trailers"},
    )
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-private" not in answer.headers
    assert "date" in answer.headers
    headers = world.legacy.seen[0]["headers"]
    assert "x-hop" not in headers
    assert "te" not in headers
    assert headers["x-end"] == "2"
    assert headers["host"] == urlsplit(url).netloc
    assert headers["x-forwarded-host"] == urlsplit(url).netloc
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["via"] == "1.1 switchover-m"
    assert world.legacy.seen[0]["query"] == "x=1&y=%20"


@pytest.mark.req("T11")
def test_the_path_reaches_the_system_as_it_was_spelled(world: Any) -> None:
    """Nothing decodes it, resolves its dots or merges its slashes."""
    url = world.proxy()
    raw(url, b"GET /a%2Fb/../c//d?q=%41 HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n")
    assert world.legacy.seen[0]["target"] == "/a%2Fb/../c//d"
    assert world.legacy.seen[0]["query"] == "q=%41"
    assert world.legacy.seen[0]["headers"]["host"] == "s"


@pytest.mark.req("T11")
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_have_none(world: Any, status: int) -> None:
    """After one of these the connection is ready for the next request."""
    url = world.proxy()
    one = b"GET /status/%d HTTP/1.1\r\nhost: s\r\n\r\n" % status
    last = b"GET /status/200 HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n"
    answer = raw(url, one + last)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    assert b"x-own: kept" in head
    assert b"transfer-encoding" not in head.lower()
    assert rest.startswith(b"HTTP/1.1 200")


@pytest.mark.req("T11")
def test_head_and_options_pass(world: Any) -> None:
    """HEAD keeps the length that GET would have, and has no body."""
    url = world.proxy()
    head = httpx.head(url)
    assert (head.headers["content-length"], head.content) == ("16", b"")
    assert httpx.options(url).status_code == 200
    assert [call["method"] for call in world.legacy.seen] == ["HEAD", "OPTIONS"]


@pytest.mark.req("T11")
def test_expect_100_continue_is_answered_before_the_body_is_sent(world: Any) -> None:
    """A careful client is told to go on, and one with too much is told not to."""
    url = world.proxy(options=ProxyOptions(limits=Limits(body=1000)))
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), 10) as link:
        link.sendall(b"POST /status/201 HTTP/1.1\r\nhost: s\r\ncontent-length: 5\r\n"
                     b"expect: 100-continue\r\nconnection: close\r\n\r\n")  # fmt: skip
        assert link.recv(1000).startswith(b"HTTP/1.1 100")
        link.sendall(b"hello")
        answer = b""
        while part := link.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 201")
    assert world.legacy.seen[0]["length"] == 5
    assert "expect" not in world.legacy.seen[0]["headers"]
    refused = raw(url, b"POST / HTTP/1.1\r\nhost: s\r\ncontent-length: 5000\r\n"
                       b"expect: 100-continue\r\nconnection: close\r\n\r\n")  # fmt: skip
    assert refused.startswith(b"HTTP/1.1 413")


@pytest.mark.req("T11")
def test_events_arrive_while_the_stream_is_open_and_an_abort_reaches_the_system(world: Any) -> None:
    """Nothing waits for an end that never comes, and nothing runs on for nobody."""
    url = world.proxy(options=ProxyOptions(limits=Limits(read=0.2)))
    with httpx.stream("GET", f"{url}/events") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"data: 1\n\n"
        # Longer than a system may otherwise be silent.
        assert not world.legacy.cancelled.wait(0.5)
    assert world.legacy.cancelled.wait(10)
    assert world.records.successes() == []


@pytest.mark.req("T11")
def test_a_client_that_gives_up_ends_the_request_to_the_system(world: Any) -> None:
    """The candidate is not kept busy, and the abort is not its failure."""
    url = world.proxy()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/hang?user=c", timeout=0.3)
    assert world.candidate.cancelled.wait(10)
    health = httpx.get(f"{url}/-/switchover/health").json()
    assert health["candidate"] == {"breaker": "closed"}
    assert world.records.seen == []
    assert world.legacy.seen == []


@pytest.mark.req("T11")
def test_a_body_without_a_length_arrives_in_parts(world: Any) -> None:
    """The system has the first part before the client has sent the last."""
    parts = urlsplit(world.proxy())
    with socket.create_connection((parts.hostname, parts.port), 10) as link:
        link.sendall(b"POST /echo HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n"
                     b"5\r\nhello\r\n")  # fmt: skip
        assert eventually(lambda: bool(world.legacy.seen) and world.legacy.seen[0]["length"] == 5)
        link.sendall(b"1\r\n!\r\n0\r\n\r\n")
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += link.recv(65536)
    assert world.legacy.seen[0]["length"] == 6
    assert world.legacy.seen[0]["headers"]["transfer-encoding"] == "chunked"


@pytest.mark.req("T11")
def test_a_slow_candidate_holds_up_nobody_else(world: Any) -> None:
    """While ten of its requests hang, the others are answered."""
    url = world.proxy()
    hanging = threading.Barrier(11)

    def hang(_: int) -> None:
        hanging.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/hang?user=c", timeout=1.5)

    with ThreadPoolExecutor(10) as pool, httpx.Client(base_url=url, timeout=10) as client:
        waiting = [pool.submit(hang, n) for n in range(10)]
        hanging.wait(10)
        assert [client.get("/").json()["by"] for _ in range(20)] == ["legacy"] * 20
        assert not any(wait.done() for wait in waiting)
        for wait in waiting:
            wait.result()


@pytest.mark.req("T11")
def test_too_much_is_refused_with_its_own_status(world: Any) -> None:
    """Long headers 431, long bodies 413, announced or not; neither is the candidate's fault."""
    url = world.proxy(options=ProxyOptions(limits=Limits(body=1000, headers=2000)))
    key = {"x-switchover-key": "c"}
    long = httpx.get(url, headers={"x-long": "x" * 3000})
    announced = httpx.post(url, content=b"x" * 1001, headers=key)
    chunked = httpx.post(url, content=iter([b"x" * 600, b"x" * 600]), headers=key)
    assert [a.status_code for a in (long, announced, chunked)] == [431, 413, 413]
    assert long.json()["error"] == "headers_too_large"
    assert chunked.json() == {"error": "too_large", "detail": "a body has at most 1000 bytes"}
    assert world.records.seen == []
    assert httpx.post(url, content=b"x" * 1000, headers=key).status_code == 200


@pytest.mark.req("T11")
def test_a_request_that_comes_round_again_is_stopped(world: Any) -> None:
    """A system's url that leads back to the proxy is named, not followed for ever."""
    url = world.proxy()
    answer = httpx.get(url, headers={"via": "1.1 other, 1.1 switchover-m"})
    assert (answer.status_code, answer.json()["error"]) == (508, "loop")


@pytest.mark.req("T11")
def test_an_answer_that_breaks_off_is_not_made_to_look_whole(world: Any) -> None:
    """The client sees the break, as it would without a proxy."""
    url = world.proxy()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/break")
    assert eventually(lambda: world.records.successes() == [(False, "legacy")])


@pytest.mark.req("T11")
def test_systems_that_do_not_answer_are_502_and_504(world: Any, free_url: str) -> None:
    """In JSON, with the system's name and not its address."""
    world.urls["legacy"] = free_url
    gone = httpx.get(world.proxy())
    assert gone.status_code == 502
    assert gone.json() == {"error": "bad_gateway", "system": "legacy",
                           "detail": "it takes no connections"}  # fmt: skip
    world.urls["legacy"] = world.urls["candidate"]
    slow = httpx.get(world.proxy(options=ProxyOptions(limits=Limits(read=0.1))) + "/hang")
    assert (slow.status_code, slow.json()["error"]) == (504, "gateway_timeout")
    assert slow.headers["content-type"] == "application/json"


@pytest.fixture
def free_url() -> str:
    """Where nobody listens."""
    with listening("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.mark.req("T4")
def test_requests_of_a_candidate_that_is_away_are_answered_by_legacy(
    world: Any, free_url: str
) -> None:
    """GET and POST alike, as neither reached it; from the fifth on it is not even tried."""
    world.urls["candidate"] = free_url
    url = world.proxy()
    with httpx.Client(base_url=url, headers={"x-switchover-key": "c"}) as client:
        for _ in range(4):
            assert client.get("/").json() == {"by": "legacy"}
            assert client.post("/", content=b"pay").json() == {"by": "legacy"}
        health = client.get("/-/switchover/health").json()
    assert health["candidate"] == {"failures": 5, "blocked": 3, "breaker": "open"}
    assert eventually(lambda: world.records.successes().count((True, "legacy")) == 8)
    assert world.records.successes().count((False, "candidate")) == 5


@pytest.mark.req("T4")
def test_a_candidate_that_fails_alone_is_rolled_back_once(world: Any) -> None:
    """In candidate_only the incident writes one halt; while the split decides it writes none."""
    halts: list[tuple[str, str]] = []

    class Store:
        def halt(self, migration: str, *, halt_id: str, **rest: Any) -> None:
            halts.append((migration, halt_id))

    world.candidate.status = 503
    url = world.proxy(store=Store(), options=ProxyOptions(failures=2, expose=True))
    with httpx.Client(base_url=url, headers={"x-switchover-key": "c"}) as client:
        for _ in range(4):
            assert client.get("/").json() == {"by": "legacy"}
        assert halts == []
        world.router.mode, world.router.epoch = "candidate_only", 7
        for _ in range(4):
            assert client.get("/").json() == {"by": "legacy"}
        assert eventually(lambda: halts == [("m", "m-candidate-7")])


@pytest.mark.req("INV9")
def test_the_proxy_shadows_what_may_be_sent_twice(world: Any) -> None:
    """GET always, POST as the plan allows; the copy is marked, the caller's answer is legacy's."""
    world.router.shadow = True
    url = world.proxy(repeatable=["POST"])
    assert httpx.get(url).json() == {"by": "legacy"}
    assert httpx.post(url, json={"a": 1}).json() == {"by": "legacy"}
    assert httpx.put(url, json={"a": 1}).json() == {"by": "legacy"}
    assert eventually(lambda: len(world.records.pairs) == 2)
    assert world.records.pairs[0] == ({"by": "legacy"}, {"by": "candidate"})
    assert [call["method"] for call in world.candidate.seen] == ["GET", "POST"]
    assert {call["headers"]["x-switchover-shadow"] for call in world.candidate.seen} == {"1"}
    assert world.candidate.seen[1]["length"] == world.legacy.seen[1]["length"] == 7
    health = httpx.get(f"{url}/-/switchover/health").json()
    assert health["shadow"] == {"ok": 2, "unsafe": 1, "pending": 0}


@pytest.mark.req("T11")
def test_health_is_the_proxys_own(world: Any) -> None:
    """Both systems may be down, and Redis too: the proxy still says how it stands."""
    url = world.proxy()
    world.router.healthy = False
    answer = httpx.get(f"{url}/-/switchover/health")
    assert answer.status_code == 200
    assert answer.json()["routing"] == "unconfirmed"
    assert json.loads(answer.text)["mode"] == "gradual"
    assert world.legacy.seen == world.candidate.seen == []


@pytest.mark.req("T11")
@pytest.mark.parametrize("address", ["8080", "host:port", "127.0.0.1:99999", "256.0.0.1:80"])
def test_an_address_that_can_not_be_listened_on_is_an_input_error(address: str) -> None:
    """Said in one line, with what to do."""
    with pytest.raises(InputError, match="listen"):
        listening(address)


@pytest.mark.req("T11")
def test_small_answers_do_not_wait_for_an_acknowledgement() -> None:
    """asyncio sends at once only on sockets that name their protocol."""
    with listening("127.0.0.1:0") as sock:
        assert sock.proto == socket.IPPROTO_TCP


@pytest.mark.req("T11")
def test_a_client_that_stalls_in_its_body_is_let_go(world: Any) -> None:
    """It gets 408, and the connection to the system is free again."""
    url = world.proxy(options=ProxyOptions(limits=Limits(client=0.2)))
    head = b"POST /hang HTTP/1.1\r\nhost: s\r\ncontent-length: 10\r\nconnection: close\r\n\r\n"
    answer = raw(url, head + b"half")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer
    assert world.records.seen == []


@pytest.mark.req("T11")
def test_a_chunked_body_that_also_claims_a_length_is_sent_chunked_or_refused(world: Any) -> None:
    """The two never disagree behind the proxy, where a request could hide between them."""
    url = world.proxy()
    answer = raw(url, b"POST /status/200 HTTP/1.1\r\nhost: s\r\ncontent-length: 3\r\n"
                      b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
                      b"5\r\nhello\r\n0\r\n\r\n")  # fmt: skip
    if answer.startswith(b"HTTP/1.1 200"):
        headers = world.legacy.seen[0]["headers"]
        assert world.legacy.seen[0]["length"] == 5
        assert "content-length" not in headers
    else:
        assert answer.startswith(b"HTTP/1.1 400")
        assert world.legacy.seen == []

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from switchover.errors import InputError, UpstreamFailed
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.breaker import Breaker
from switchover.routing.candidate_failure import CandidateFailure
from switchover.routing.shadow import Shadow

KEY = {"x-user": "c"}


def both(router: Any, legacy: Any, candidate: Any, **more: Any) -> SwitchoverMiddleware:
    return SwitchoverMiddleware(legacy, router, candidate, key="x-user", **more)


@pytest.mark.req("T1")
@pytest.mark.parametrize(("user", "served"), [("c", "candidate"), ("l", "legacy")])
def test_the_key_decides_who_serves(
    client: Any, router: Any, make: Any, records: Any, user: str, served: str
) -> None:
    """Each request goes to the side of its key, and counts for that system only."""
    app = both(router, make("legacy"), make("candidate"), recorder=records)
    result = client.get(app, headers={"x-user": user}, method="POST", body=[b"a", b"b"])
    assert result.body == f"{served}:ab".encode()
    assert "x-switchover-system" not in result.headers
    assert records.successes() == [(True, served)]
    assert [s for m, _, s in records.seen if m == "prediction_latency_p99"] == [served]


@pytest.mark.req("T1")
def test_the_system_is_named_in_a_header_only_if_asked(client: Any, router: Any, make: Any) -> None:
    """Callers do not learn of the migration by default."""
    app = both(router, make("legacy"), make("candidate"), expose=True)
    assert client.get(app, headers=KEY).headers["x-switchover-system"] == "candidate"
    assert client.get(app).headers["x-switchover-system"] == "legacy"


@pytest.mark.req("T1")
def test_a_request_without_a_key_stays_on_legacy_while_the_split_decides(
    client: Any, router: Any, make: Any
) -> None:
    """Nobody can be kept on one side who has no name; a mode without a split needs none."""
    router.systems["default"] = "candidate"
    app = both(router, make("legacy"), make("candidate"))
    assert client.get(app).body == b"legacy:"
    router.reason = "mode:candidate_only"
    assert client.get(app).body == b"candidate:"


@pytest.mark.req("T1")
def test_a_key_that_can_not_be_read_is_no_error_of_the_caller(
    client: Any, router: Any, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in the application's key function is logged, and legacy serves."""
    app = SwitchoverMiddleware(
        make("legacy"), router, make("candidate"), key=lambda scope: scope["nothing"]
    )
    assert client.get(app).body == b"legacy:"
    assert "key can't be read" in caplog.text


FAULTS: list[dict[str, Any]] = [{"error": RuntimeError("boom")}, {"status": 500}, {"status": 503}]


@pytest.mark.req("T4")
@pytest.mark.parametrize("fault", FAULTS)
def test_legacy_answers_when_the_candidate_fails(
    client: Any, router: Any, make: Any, records: Any, fault: dict[str, Any]
) -> None:
    """The caller gets legacy's answer to the same body; both outcomes are counted."""
    app = both(router, make("legacy"), make("candidate", **fault), recorder=records,
               repeatable=["POST"])  # fmt: skip
    result = client.get(app, headers=KEY, method="POST", body=[b"a", b"b"])
    assert (result.status, result.body) == (200, b"legacy:ab")
    assert records.successes() == [(False, "candidate"), (True, "legacy")]


@pytest.mark.req("T4")
def test_an_unsafe_request_that_the_candidate_may_have_done_is_not_repeated(
    client: Any, router: Any, make: Any
) -> None:
    """A POST is not paid twice because the candidate stumbled after taking it."""
    seen: list[Any] = []
    app = both(router, make("legacy", seen=seen), make("candidate", error=RuntimeError("boom")))
    with pytest.raises(RuntimeError, match="boom"):
        client.get(app, headers=KEY, method="POST", body=[b"pay"])
    app = both(router, make("legacy", seen=seen), make("candidate", status=500))
    assert client.get(app, headers=KEY, method="POST", body=[b"pay"]).status == 500
    assert seen == []


@pytest.mark.req("T4")
def test_an_unsafe_request_that_never_reached_the_candidate_falls_back(
    client: Any, router: Any, make: Any
) -> None:
    """Without a connection nothing was done, so nothing is done twice."""
    unreachable = UpstreamFailed("candidate", "it takes no connections", sent=False)
    candidate = make("candidate", error=unreachable, reads=False)
    app = both(router, make("legacy"), candidate, buffer=1)
    result = client.get(app, headers=KEY, method="POST", body=[b"much ", b"too ", b"long"])
    assert result.body == b"legacy:much too long"


@pytest.mark.req("T4")
def test_a_body_beyond_the_buffer_can_not_be_sent_again(
    client: Any, router: Any, make: Any
) -> None:
    """Memory is bounded, so a long upload has one try; the caller sees the failure."""
    seen: list[Any] = []
    app = both(router, make("legacy", seen=seen), make("candidate", error=RuntimeError("boom")),
               repeatable=["PUT"], buffer=4)  # fmt: skip
    with pytest.raises(RuntimeError, match="boom"):
        client.get(app, headers=KEY, method="PUT", body=[b"abc", b"def"])
    assert seen == []


@pytest.mark.req("T4")
def test_an_answer_that_began_is_never_replaced(client: Any, router: Any, make: Any) -> None:
    """Half an answer of one system and half of the other would be worse than an error."""
    app = both(
        router, make("legacy"), make("candidate", error=RuntimeError("half"), after_start=True)
    )
    with pytest.raises(RuntimeError, match="half"):
        client.get(app, headers=KEY)


@pytest.mark.req("T4")
def test_a_silent_candidate_is_given_up_in_time(
    client: Any, router: Any, make: Any, records: Any
) -> None:
    """It is cancelled after ``start_within``, and legacy answers."""
    app = both(router, make("legacy"), make("candidate", hangs=True), start_within=0.02,
               recorder=records)  # fmt: skip
    assert client.get(app, headers=KEY).body == b"legacy:"
    assert records.successes() == [(False, "candidate"), (True, "legacy")]


@pytest.mark.req("T4")
def test_one_incident_is_told_once_and_the_candidate_left_alone(
    client: Any, router: Any, make: Any
) -> None:
    """However many requests fail, it is told once until who serves changes; legacy answers."""
    router.reason = "mode:candidate_only"
    told: list[CandidateFailure] = []
    calls: list[Any] = []

    async def tell(failure: CandidateFailure) -> None:
        told.append(failure)

    app = both(router, make("legacy"), make("candidate", status=503, seen=calls),
               on_candidate_failure=tell, rollback_after=2)  # fmt: skip

    async def run() -> None:
        for _ in range(6):
            assert (await client.ask(app, headers=KEY)).body == b"legacy:"
        await asyncio.to_thread(app.fallback.close)
        assert (len(told), len(calls)) == (1, 2)
        router.epoch = 2
        for _ in range(3):
            await client.ask(app, headers=KEY)
        await asyncio.to_thread(app.fallback.close)

    asyncio.run(run())
    assert [failure.incident for failure in told] == ["m-candidate-1", "m-candidate-2"]
    assert told[0].reason.endswith("failed on a GET request in candidate_only: it answered 503")
    assert len(calls) == 4


@pytest.mark.req("T4")
def test_while_the_split_decides_a_failing_candidate_is_left_alone_and_nobody_told(
    client: Any, router: Any, make: Any
) -> None:
    """There the gates decide; the breaker spares callers and candidate meanwhile."""
    told: list[CandidateFailure] = []
    calls: list[Any] = []
    app = both(router, make("legacy"), make("candidate", status=503, seen=calls),
               on_candidate_failure=told.append, breaker=Breaker(consecutive=2))  # fmt: skip
    for _ in range(5):
        assert client.get(app, headers=KEY).body == b"legacy:"
    assert (told, len(calls)) == ([], 2)
    assert app.fallback.counters == {"failures": 2, "blocked": 3}


@pytest.mark.req("T4")
def test_a_client_that_leaves_is_no_failure_of_the_candidate(
    client: Any, router: Any, make: Any, records: Any
) -> None:
    """An abort counts for nobody and starts no incident."""

    async def candidate(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        raise RuntimeError("gone")

    app = both(router, make("legacy"), candidate, recorder=records)
    assert client.get(app, headers=KEY, leaves=True).messages == []
    assert records.seen == []
    assert app.fallback.counters == {}


def shadowed(app: Any, shadow: Shadow, client: Any, **request: Any) -> Any:
    async def run() -> Any:
        result = await client.ask(app, **request)
        await shadow.drain()
        return result

    return asyncio.run(run())


@pytest.mark.req("INV9")
@pytest.mark.parametrize("user", ["c", "l"])
def test_the_other_side_gets_the_same_request_marked(
    client: Any, router: Any, make: Any, records: Any, user: str
) -> None:
    """Body and headers are the same; the mark says that the answer is only compared."""
    router.shadow = True
    seen: dict[str, list[Any]] = {"legacy": [], "candidate": []}
    shadow = Shadow(records, allow=["POST"], noise=1.0)
    legacy = make("legacy", document='{"risk": 1}', seen=seen["legacy"])
    candidate = make("candidate", document='{"risk": 2}', seen=seen["candidate"])
    app = both(router, legacy, candidate, recorder=records, shadow=shadow)
    shadowed(app, shadow, client, method="POST", body=[b"a", b"b"], headers={"x-user": user})
    marks = {
        name: [dict(call["scope"]["headers"]).get(b"x-switchover-shadow") for call in calls]
        for name, calls in seen.items()
    }
    served, other = ("candidate", "legacy") if user == "c" else ("legacy", "candidate")
    assert marks[served][0] is None
    assert marks[other][0] == b"1"
    assert {call["body"] for calls in seen.values() for call in calls} == {b"ab"}
    assert records.pairs == [({"risk": 1}, {"risk": 2})]
    assert records.noise == [({"risk": 1}, {"risk": 1})]


@pytest.mark.req("INV9")
def test_a_status_of_its_own_is_a_disagreement(
    client: Any, router: Any, make: Any, records: Any
) -> None:
    """404 and 200 are not compared field by field, and 5xx is the candidate's error."""
    router.shadow = True
    for status in (404, 500):
        shadow = Shadow(records)
        app = both(router, make("legacy"), make("candidate", status=status), shadow=shadow)
        assert shadowed(app, shadow, client).body == b"legacy:"
    assert records.failures == ["incomparable", "error"]
    assert records.pairs == []


@pytest.mark.req("INV9")
def test_unsafe_requests_and_long_answers_are_not_shadowed(
    client: Any, router: Any, make: Any, records: Any
) -> None:
    """Each has its counter, and neither reaches the candidate."""
    router.shadow = True
    calls: list[Any] = []
    shadow = Shadow(records)
    app = both(router, make("legacy"), make("candidate", seen=calls), shadow=shadow, buffer=6)
    shadowed(app, shadow, client, method="POST", body=[b"x"])
    shadowed(app, shadow, client)
    assert calls == []
    assert shadow.counters == {"unsafe": 1, "unkept": 1}


@pytest.mark.req("INV9")
def test_a_fallback_is_half_a_pair_already(
    client: Any, router: Any, make: Any, records: Any
) -> None:
    """The candidate's failure counts in the agreement, and nobody is asked twice."""
    router.shadow = True
    calls: list[Any] = []
    shadow = Shadow(records)
    app = both(router, make("legacy", seen=calls), make("candidate", status=500), shadow=shadow)
    shadowed(app, shadow, client, headers=KEY)
    assert records.failures == ["error"]
    assert len(calls) == 1


@pytest.mark.req("T1")
def test_a_candidate_that_does_not_start_leaves_legacy_serving(
    client: Any, router: Any, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The server comes up, and the candidate's keys are served by legacy."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no model"})

    app = both(router, make("legacy"), broken)
    sent: list[str] = []

    async def run() -> Any:
        asked: asyncio.Queue[Any] = asyncio.Queue()

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await asked.put({"type": "lifespan.startup"})
        span = asyncio.create_task(app({"type": "lifespan", "state": {}}, asked.get, send))
        while not sent:
            await asyncio.sleep(0)
        result = await client.ask(app, headers=KEY, method="POST", body=[b"x"])
        await asked.put({"type": "lifespan.shutdown"})
        await span
        return result

    assert asyncio.run(run()).body == b"legacy:x"
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert "no model" in caplog.text


@pytest.mark.req("T1")
def test_the_candidate_is_an_application_or_a_url(router: Any, make: Any) -> None:
    """Neither and both are refused, and so is an address of nothing."""
    for wrong in ({}, {"candidate_app": make("c"), "candidate_url": "http://c.test"}):
        with pytest.raises(InputError, match="candidate_app or as candidate_url"):
            SwitchoverMiddleware(make("legacy"), router, key="x-user", **wrong)
    with pytest.raises(InputError, match="no address"):
        SwitchoverMiddleware(make("legacy"), router, candidate_url="c.test", key="x-user")

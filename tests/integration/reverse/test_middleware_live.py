from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from switchover import Recorder, Router
from switchover.machine.snapshot import Snapshot
from switchover.observe.stream import RedisBlockStream
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.shadow import Shadow
from switchover.routing.store import RedisRoutingStore
from tests.eventually import eventually

from .conftest import running


def fastapi_service() -> FastAPI:
    app = FastAPI()

    @app.get("/risk")
    async def risk(request: Request) -> dict[str, Any]:
        return {"by": "legacy", "risk": 0.2}

    @app.post("/fail")
    async def fail() -> dict[str, str]:
        raise RuntimeError("legacy fails")

    return app


def starlette_candidate() -> Starlette:
    async def risk(request: Any) -> JSONResponse:
        return JSONResponse({"by": "candidate", "risk": 0.25})

    async def fail(request: Any) -> JSONResponse:
        raise RuntimeError("the candidate fails")

    return Starlette(routes=[Route("/risk", risk), Route("/boom", fail)])


@pytest.fixture
def router(fresh_redis_url: str) -> Iterator[Router]:
    with Router("m", fresh_redis_url) as made:
        assert made.wait_ready(10)
        yield made


@pytest.mark.req("T1")
@pytest.mark.parametrize("by_url", [False, True])
def test_a_fastapi_service_moves_to_its_candidate_and_back(
    world: Any, router: Router, fresh_redis_url: str, by_url: bool
) -> None:
    """In process or by URL: the store's document decides from the next request on."""
    service = fastapi_service()
    candidate: dict[str, Any] = (
        {"candidate_url": world.urls["candidate"]}
        if by_url
        else {"candidate_app": starlette_candidate()}
    )
    service.add_middleware(
        SwitchoverMiddleware, router=router, key="x-user", expose=True, **candidate
    )
    store = RedisRoutingStore(fresh_redis_url)
    with running(uvicorn.Server(uvicorn.Config(service, log_config=None))) as url:

        def served() -> str:
            return str(httpx.get(f"{url}/risk", headers={"x-user": "u1"}).json()["by"])

        assert served() == "legacy"
        store.write(Snapshot("m", 1, mode="gradual", split=10_000, salt="s"))
        assert eventually(lambda: served() == "candidate")
        store.halt("m", halt_id="h", actor="me", reason="drill", at=0.0)
        assert eventually(lambda: served() == "legacy")


@pytest.mark.req("T4")
def test_an_exception_in_the_candidates_handler_is_legacys_to_answer(
    router: Router, fresh_redis_url: str
) -> None:
    """Starlette answers 500 before it raises; the caller still gets legacy's 404 for the path."""
    service = fastapi_service()
    service.add_middleware(
        SwitchoverMiddleware, router=router, candidate_app=starlette_candidate(), key="x-user"
    )
    RedisRoutingStore(fresh_redis_url).write(Snapshot("m", 1, mode="candidate_only", split=10_000))
    assert eventually(lambda: router.mode == "candidate_only")
    with running(uvicorn.Server(uvicorn.Config(service, log_config=None))) as url:
        answer = httpx.get(f"{url}/boom")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.req("INV9")
def test_shadowed_pairs_are_compared_by_the_documents_rules(
    router: Router, fresh_redis_url: str
) -> None:
    """Agreement and noise reach the stream as blocks of their own metrics."""
    field = {"path": "risk", "compare": "number", "absolute": 0.1}
    rules = {"default": "ignore", "fields": [field]}
    snapshot = Snapshot("m", 1, mode="parallel", shadow=10_000, agreement=rules)
    RedisRoutingStore(fresh_redis_url).write(snapshot)
    assert eventually(lambda: router.mode == "parallel")
    recorder = Recorder("m", fresh_redis_url, agreement=lambda: router.agreement)
    shadow = Shadow(recorder, noise=1.0)
    service = fastapi_service()
    service.add_middleware(
        SwitchoverMiddleware,
        router=router,
        candidate_app=starlette_candidate(),
        key="x-user",
        recorder=recorder,
        shadow=shadow,
    )
    with recorder, running(uvicorn.Server(uvicorn.Config(service, log_config=None))) as url:
        for _ in range(3):
            assert httpx.get(f"{url}/risk").json()["by"] == "legacy"
        assert eventually(lambda: shadow.counters["noise"] == 3)
    blocks, _, _ = RedisBlockStream(fresh_redis_url).read("m", "0-0", 100)
    counts = {(b.metric, b.system): (b.n, b.bad) for b in blocks}
    assert counts["prediction_agreement_rate", "pair"] == (3, 0)
    assert counts["noise_rate", "pair"] == (3, 0)
    # Each request was answered by legacy twice, once to be compared with itself.
    assert counts["success_rate", "legacy"] == (6, 0)
    assert counts["success_rate", "candidate"] == (3, 0)

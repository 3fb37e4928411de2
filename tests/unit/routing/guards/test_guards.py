"""An endpoint whose flag is off answers 503 FEATURE_NOT_ENABLED and names the flag."""

from __future__ import annotations

import asyncio
from typing import Any

import flask
import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from switchover import Evaluation, Router
from switchover.machine.snapshot import Snapshot
from switchover.routing.guards import flask as flask_guard
from switchover.routing.guards import starlette as guard

OFF = {
    "error": "FEATURE_NOT_ENABLED",
    "flag": "panel",
    "message": "the feature 'panel' is not enabled",
}


@pytest.fixture
def router() -> Router:
    """The flag is on for ann alone."""
    found = Router("demo", "redis://127.0.0.1:1/0")
    flags = {"panel": {"split": 0, "overrides": {"ann": "on"}}}
    found._held.take(Snapshot("demo", 1, flags=flags).to_json())
    return found


def user(request: Request) -> str:
    """The request's key."""
    return request.headers.get("x-user", "")


def ask(app: Any, user: str) -> httpx.Response:
    """One request of ``user`` to an ASGI application."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/", headers={"x-user": user})

    return asyncio.run(call())


def fastapi_app(router: Router) -> FastAPI:
    """The guard as a dependency that gives its evaluation."""
    app = FastAPI()
    required = guard.require_flag(router, "panel", user)

    @app.get("/")
    def panel(found: Evaluation = Depends(required)) -> str:  # noqa: B008
        return found.reason

    return app


def starlette_app(router: Router, *, plain: bool) -> Starlette:
    """The guard as a decorator, of a plain or an async endpoint."""
    required = guard.require_flag(router, "panel", user)

    async def waiting(request: Request) -> PlainTextResponse:
        return PlainTextResponse("panel")

    def at_once(request: Request) -> PlainTextResponse:
        return PlainTextResponse("panel")

    return Starlette(routes=[Route("/", required.endpoint(at_once if plain else waiting))])


@pytest.mark.req("T5")
def test_fastapi_lets_through_whom_the_flag_is_on_for(router: Router) -> None:
    """As a dependency; the refusal is the answer's detail, as FastAPI has it."""
    app = fastapi_app(router)
    assert ask(app, "ann").json() == "override"
    refused = ask(app, "bob")
    assert (refused.status_code, refused.json()) == (503, {"detail": OFF})
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.req("T5")
@pytest.mark.parametrize("plain", [True, False])
def test_starlette_lets_through_whom_the_flag_is_on_for(router: Router, plain: bool) -> None:
    """As a decorator of an endpoint, plain or async."""
    app = starlette_app(router, plain=plain)
    assert ask(app, "ann").text == "panel"
    refused = ask(app, "bob")
    assert (refused.status_code, refused.json()) == (503, OFF)


@pytest.mark.req("T5")
def test_flask_lets_through_whom_the_flag_is_on_for(router: Router) -> None:
    """As a decorator of a view."""
    app = flask.Flask("demo")

    @app.get("/<name>")
    @flask_guard.require_flag(router, "panel", lambda: flask.request.headers["x-user"])
    def panel(name: str) -> str:
        return f"panel {name}"

    client = app.test_client()
    assert client.get("/a", headers={"x-user": "ann"}).text == "panel a"
    refused = client.get("/a", headers={"x-user": "bob"})
    assert (refused.status_code, refused.get_json()) == (503, OFF)


@pytest.mark.req("T5")
def test_a_change_reaches_a_guarded_endpoint_without_a_restart(router: Router) -> None:
    """The flag is evaluated at every request."""
    app = starlette_app(router, plain=False)
    assert ask(app, "bob").status_code == 503
    router._held.take(Snapshot("demo", 2, flags={"panel": {}}).to_json())
    assert ask(app, "bob").status_code == 200

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from switchover.errors import InputError
from switchover.routing.asgi.versioning import Deprecation, VersionedAPI

OLD = Deprecation(
    at=datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC),
    sunset=datetime(2024, 6, 30, 23, 59, 59, tzinfo=UTC),
    notice='say "v2"',
    link="https://service.test/moving",
)


def starlette_service(name: str) -> Starlette:
    async def diagnose(request: Request) -> JSONResponse:
        url = str(request.url_for("diagnose", item=3))
        return JSONResponse({"by": name, "item": request.path_params["item"], "url": url})

    async def parts(request: Request) -> StreamingResponse:
        async def stream() -> Any:
            for part in (b"a", b"b"):
                yield part

        return StreamingResponse(stream())

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"{name} {await websocket.receive_text()}")
        await websocket.close()

    routes = [
        Route("/", lambda request: JSONResponse({"by": name})),
        Route("/items/{item:int}", diagnose, name="diagnose"),
        Route("/parts", parts),
        WebSocketRoute("/socket", socket),
    ]
    return Starlette(routes=routes)


@pytest.fixture
def api() -> TestClient:
    versions = VersionedAPI(starlette_service("v1"), starlette_service("v2"), deprecation=OLD)
    return TestClient(versions, base_url="http://service.test")


@pytest.mark.req("T10")
def test_the_root_stays_version_one_without_new_headers(api: TestClient) -> None:
    """Callers from before there were versions notice nothing."""
    answer = api.get("/items/1")
    assert answer.json()["by"] == "v1"
    assert not {"x-api-version", "deprecation", "sunset", "warning"} & set(answer.headers)


@pytest.mark.req("T10")
def test_v1_is_the_same_route_with_version_and_deprecation(api: TestClient) -> None:
    """The headers have the forms of RFC 9745, RFC 8594 and RFC 7234."""
    answer = api.get("/v1/items/1")
    assert answer.json()["item"] == 1
    assert answer.json()["by"] == "v1"
    assert answer.headers["x-api-version"] == "1.0"
    # The example of RFC 9745, 2.1.
    assert answer.headers["deprecation"] == "@1688169599"
    assert answer.headers["sunset"] == "Sun, 30 Jun 2024 23:59:59 GMT"
    assert answer.headers["warning"] == '299 - "say \\"v2\\""'
    assert 'rel="deprecation"' in answer.headers["link"]


@pytest.mark.req("T10")
def test_v2_is_the_candidate_and_not_deprecated(api: TestClient) -> None:
    """The new version says its number and nothing of an end."""
    answer = api.get("/v2/items/2")
    assert answer.json()["by"] == "v2"
    assert answer.headers["x-api-version"] == "2.0"
    assert "deprecation" not in answer.headers


@pytest.mark.req("T10")
@pytest.mark.parametrize("prefix", ["", "/v1", "/v2"])
def test_links_stay_inside_the_version(api: TestClient, prefix: str) -> None:
    """``root_path`` carries the prefix, so an application's own URLs are right."""
    url = api.get(f"{prefix}/items/1").json()["url"]
    assert url == f"http://service.test{prefix}/items/3"


@pytest.mark.req("T10")
@pytest.mark.parametrize("path", ["/v10/items/1", "/v3/items/1", "/items/v1", "/V1/items/1"])
def test_other_paths_are_no_versions(api: TestClient, path: str) -> None:
    """Only the whole first segment names a version."""
    answer = api.get(path)
    assert answer.status_code == 404
    assert "x-api-version" not in answer.headers


@pytest.mark.req("T10")
@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_bare_version_is_its_root(api: TestClient, path: str) -> None:
    """With and without the slash, and without a redirect."""
    answer = api.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()) == (200, {"by": "v1"})
    assert answer.headers["x-api-version"] == "1.0"


@pytest.mark.req("T10")
def test_errors_carry_the_version_too(api: TestClient) -> None:
    """A caller of an old route that is missing is told both."""
    answer = api.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["x-api-version"] == "1.0"


@pytest.mark.req("T10")
def test_streams_and_websockets_pass(api: TestClient) -> None:
    """Both work under every prefix, and the handshake's answer names the version."""
    assert api.get("/v1/parts").content == b"ab"
    for prefix, name, version in (("", "v1", None), ("/v1", "v1", "1.0"), ("/v2", "v2", "2.0")):
        with api.websocket_connect(f"{prefix}/socket") as socket:
            socket.send_text("hello")
            assert socket.receive_text() == f"{name} hello"
            headers = {n.decode(): v.decode() for n, v in socket.extra_headers or []}
        assert headers.get("x-api-version") == version


@pytest.mark.req("T10")
def test_fastapi_keeps_its_own_description() -> None:
    """The wrapped application's OpenAPI document has its paths once, and no version in them."""
    app = FastAPI()
    app.get("/items")(lambda: {"ok": True})
    before = app.openapi()
    app.add_middleware(VersionedAPI, candidate=starlette_service("v2"), deprecation=OLD)
    with TestClient(app) as client:
        assert client.get("/v1/items").headers["x-api-version"] == "1.0"
        assert client.get("/v2/items/2").json()["by"] == "v2"
        described = client.get("/v1/openapi.json").json()
        assert described["servers"] == [{"url": "/v1"}]
        assert client.get("/openapi.json").json() == before
    assert list(before["paths"]) == ["/items"]


@pytest.mark.req("T10")
def test_a_mounted_service_has_versions_below_its_mount(client: Any) -> None:
    """Behind a prefix of the server's, ``root_path`` grows and does not start anew."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["root_path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    api = VersionedAPI(app, app)
    client.get(api, "/api/v2/x", root_path="/api")
    client.get(api, "/api/x", root_path="/api")
    assert seen == ["/api/v2", "/api"]


@pytest.mark.req("T10")
def test_both_versions_start_and_stop_with_the_server() -> None:
    """Each has its own lifespan and its own state."""
    events: list[str] = []

    def service(name: str) -> FastAPI:
        async def lifespan(app: FastAPI) -> Any:
            events.append(f"{name} up")
            yield {"name": name}
            events.append(f"{name} down")

        app = FastAPI(lifespan=asynccontextmanager(lifespan))

        @app.get("/who")
        async def who(request: Request) -> str:
            return str(request.state.name)

        return app

    with TestClient(VersionedAPI(service("old"), service("new"))) as client:
        assert client.get("/who").json() == "old"
        assert client.get("/v1/who").json() == "old"
        assert client.get("/v2/who").json() == "new"
    assert events == ["old up", "new up", "old down", "new down"]


@pytest.mark.req("T10")
def test_a_version_two_that_does_not_start_keeps_nothing_else_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Version 1 serves; version 2 answers 503 with its number."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no model"})

    with (
        caplog.at_level(logging.ERROR),
        TestClient(VersionedAPI(starlette_service("v1"), broken)) as client,
    ):
        assert client.get("/items/1").status_code == 200
        answer = client.get("/v2/items/1")
    assert (answer.status_code, answer.headers["x-api-version"]) == (503, "2.0")
    assert "no model" in caplog.text


@pytest.mark.req("T10")
def test_without_a_candidate_v2_is_the_applications_own_affair(client: Any) -> None:
    """Nothing is claimed that was not given."""
    with TestClient(VersionedAPI(starlette_service("v1"))) as api:
        assert api.get("/v2/items/1").status_code == 404
        assert api.get("/v1/items/1").headers["x-api-version"] == "1.0"


@pytest.mark.req("T10")
def test_a_notice_is_written_where_none_is_given() -> None:
    """It names the version and the last day; times without a zone are UTC."""
    berlin = timezone(timedelta(hours=2))
    headers = dict(
        Deprecation(datetime(2026, 1, 1), datetime(2026, 7, 1, 1, tzinfo=berlin)).headers("1.0")
    )
    assert headers[b"warning"] == b'299 - "API version 1.0 is deprecated and ends on 2026-06-30"'
    assert headers[b"deprecation"] == b"@1767225600"


@pytest.mark.req("T10")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sunset": datetime(2020, 1, 1)}, "swap"),
        ({"notice": "a\r\nset-cookie: b"}, "printable ASCII"),
        ({"link": 'https://a.test/"x'}, "the link is a URL"),
    ],
)
def test_a_deprecation_that_makes_no_header_is_refused(wrong: dict[str, Any], said: str) -> None:
    """Dates in the wrong order and text that would break a header."""
    with pytest.raises(InputError, match=said):
        Deprecation(at=datetime(2026, 1, 1), **wrong)

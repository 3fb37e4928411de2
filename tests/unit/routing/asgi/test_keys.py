from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from switchover.routing.asgi.keys import FieldKey, key_reader
from switchover.routing.asgi.replay import Replay


def found(
    field: str = "subject",
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
    body: Any = None,
    limit: int = 1000,
    kind: str = "application/json",
) -> Any:
    named = {"content-type": kind, **(headers or {})}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope = {
        "headers": [(n.encode(), v.encode()) for n, v in named.items()],
        "query_string": query.encode(),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return asyncio.run(FieldKey(field).read(scope, Replay(receive, limit)))


@pytest.mark.req("T1")
def test_header_goes_before_query_before_cookie_before_body() -> None:
    """The documented order, one place taken away after the other."""
    headers = {"x-switchover-key": "header", "cookie": "a=1; subject=cookie"}
    body = {"subject": "body"}
    assert found(headers=headers, query="subject=query", body=body) == "header"
    del headers["x-switchover-key"]
    assert found(headers=headers, query="subject=query", body=body) == "query"
    assert found(headers=headers, body=body) == "cookie"
    assert found(body=body) == "body"


@pytest.mark.req("T1")
def test_a_number_is_the_same_caller_wherever_it_stands() -> None:
    """42 in a body and 42 in a query get the same bucket."""
    assert found(body={"subject": 42}) == found(query="subject=42") == "42"


@pytest.mark.req("T1")
def test_dots_lead_into_objects() -> None:
    """The plan's field may be nested."""
    assert found("patient.id", body={"patient": {"id": "p1"}}) == "p1"
    assert found("patient.id", body={"patient": "p1"}) is None


@pytest.mark.req("T1")
@pytest.mark.parametrize(
    "request_",
    [
        {"body": b"{broken"},
        {"body": b"[" * 100_000, "limit": 200_000},
        {"body": {"subject": None}},
        {"body": {"subject": True}},
        {"body": {"subject": {"id": 1}}},
        {"body": {"subject": ""}},
        {"body": [1, 2]},
        {"body": b""},
        {"body": {"subject": "x" * 2000}},
        {"body": {"subject": "x"}, "kind": "text/plain"},
        {"query": "&".join(f"a{n}=1" for n in range(2000))},
        {"headers": {"cookie": "subject=", "content-type": "text/plain"}},
    ],
)
def test_a_request_without_a_readable_key_has_none(request_: dict[str, Any]) -> None:
    """Broken, huge and strange requests are no errors."""
    assert found(**request_) is None


@pytest.mark.req("T1")
def test_a_header_name_and_a_function_will_do() -> None:
    """What the middleware accepts as ``key``."""
    scope: Any = {"headers": [(b"x-user", b" u1 ")], "path": "/p"}
    assert asyncio.run(key_reader("X-User").read(scope, None)) == "u1"
    assert asyncio.run(key_reader(lambda scope: scope["path"]).read(scope, None)) == "/p"
    reader = FieldKey("subject")
    assert key_reader(reader) is reader

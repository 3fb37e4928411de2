"""What surrounds every request: its id, a bounded body, a line in the log, careful headers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from switchover.api.problem import problem
from switchover.api.request_id import HEADER, begin_request

_log = logging.getLogger("switchover.api.access")

#: Longest request body; a Slack interaction repeats the message that it belongs to.
MOST = 1024 * 1024
#: Seconds that a client has for sending it.
PATIENCE = 10.0

_CAREFUL = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


class Envelope:
    """ASGI middleware. The body is read before the application sees the request: all bodies
    here are small, and a slow client then occupies no thread."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; other kinds of scope pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        identity = begin_request(Headers(scope=scope).get(HEADER, ""))

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identity
                for name, value in _CAREFUL.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            body, refusal = await _body(scope, receive)
            if not refusal and not _plain(scope):
                refusal = 415
            if refusal:
                await problem(refusal, _REFUSED[refusal])(scope, receive, answer)
            else:
                await self._app(scope, _replay(body, receive), answer)
        except Exception:
            # Told to the caller already, except when it arose after the answer.
            _log.exception("a fault of Switchover itself")
        finally:
            # Neither query nor headers: they may hold what is nobody's business.
            _log.info(
                "%s %s -> %s in %.0f ms, from %s",
                scope["method"], printable(scope["path"]), status or "no answer",
                (time.perf_counter() - began) * 1000, address_of(scope),
            )  # fmt: skip


_REFUSED = {
    408: "the body did not arrive in time",
    413: f"the body is longer than {MOST:,} bytes",
    415: "this is not JSON",
}


def _plain(scope: Scope) -> bool:
    """False for what a page of another site can make a browser send to the API without asking:
    a form, or text, with the credentials that the browser keeps."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS") or not scope["path"].startswith("/api/"):
        return True
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def address_of(scope: MutableMapping[str, Any]) -> str:
    """Where the request came from; behind a trusted proxy, what the proxy says."""
    client = scope.get("client")
    return str(client[0]) if client else "-"


def printable(path: str) -> str:
    """A path as one line of a log can hold it."""
    return path[:200].encode("unicode_escape").decode("ascii")


async def _body(scope: Scope, receive: Receive) -> tuple[bytes, int]:
    """The whole body, or the status that refuses it."""
    told = Headers(scope=scope).get("content-length", "")
    if told.isdigit() and int(told) > MOST:
        return b"", 413
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE):
            more = True
            while more:
                message = await receive()
                parts.append(message.get("body", b""))
                more = message.get("more_body", False)
                size += len(parts[-1])
                if size > MOST:
                    return b"", 413
    except TimeoutError:
        return b"", 408
    return b"".join(parts), 0


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again

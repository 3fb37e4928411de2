"""The proxy's own face: its health, its limits, and what it says when a system fails."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from switchover.errors import UpstreamFailed
from switchover.routing.asgi.protocol import App, Message, Receive, Scope, Send
from switchover.routing.reverse.headers import content_length, loops, size
from switchover.routing.reverse.limits import Limits

_log = logging.getLogger("switchover.proxy")

#: Where the proxy answers for itself; every other path belongs to the systems.
HEALTH = "/-/switchover/health"

_NAMES = {502: "bad_gateway", 503: "unavailable", 504: "gateway_timeout"}


class ReverseProxy:
    """Guards ``app``: refuses what is too large, answers for systems that gave no answer.

    ``health`` gives what the health path answers; a false ``"ok"`` in it makes that 503.
    """

    def __init__(
        self,
        app: App,
        *,
        health: Callable[[], dict[str, Any]],
        limits: Limits | None = None,
        via: str = "switchover",
        health_path: str = HEALTH,
    ) -> None:
        self._app, self._health, self._health_path = app, health, health_path
        self._limits, self._via = limits or Limits(), via.encode("latin-1", "replace")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, _Out(send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, out: _Out) -> None:
        if scope["path"] == self._health_path and scope["method"] in ("GET", "HEAD"):
            found = self._health()
            await out.document(200 if found.get("ok", True) else 503, found)
            return
        if refused := self._refusal(scope):
            await out.error(*refused)
            return
        counted = _Counted(receive, self._limits)
        try:
            await self._app(scope, counted, out)
        except UpstreamFailed as error:
            _log.warning("%s %s: %s", scope["method"], scope["path"], error)
            await out.error(
                error.status, _NAMES.get(error.status, "bad_gateway"), error.detail, error.system
            )
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            await out.error(502, "bad_gateway", "the request could not be passed on")
        if counted.exceeded:
            await out.error(413, "too_large", f"a body has at most {self._limits.body} bytes")
        elif counted.late:
            detail = f"nothing of the body came for {self._limits.client:g} s"
            await out.error(408, "request_timeout", detail)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = scope["headers"]
        if scope["method"] == "CONNECT":
            return 405, "method_not_allowed", "this is a reverse proxy; it opens no tunnels"
        if size(headers) > self._limits.headers:
            return 431, "headers_too_large", f"headers have at most {self._limits.headers} bytes"
        if (content_length(headers) or 0) > self._limits.body:
            return 413, "too_large", f"a body has at most {self._limits.body} bytes"
        if loops(headers, self._via):
            return 508, "loop", "this proxy passed the request on before; check the systems' urls"
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if size(scope["headers"]) > self._limits.headers or loops(scope["headers"], self._via):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def observed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except UpstreamFailed as error:
            _log.warning("websocket %s: %s", scope["path"], error)
            if begun:
                await send({"type": "websocket.close", "code": 1011})
            elif "websocket.http.response" in scope.get("extensions", {}):
                out = _Out(send, "websocket.http.response")
                await out.error(error.status, "bad_gateway", error.detail, error.system)
            else:
                await send({"type": "websocket.close", "code": 1011})


class _Out:
    """Sends to the client: the system's answer, or one of the proxy's own."""

    def __init__(self, send: Send, kind: str = "http.response") -> None:
        self._send, self._kind = send, kind
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if not any(name.lower() == b"date" for name, _ in message["headers"]):
                now = formatdate(time.time(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", now)]}
        await self._send(message)

    async def error(self, status: int, error: str, detail: str, system: str = "") -> None:
        """Say what went wrong, unless an answer has begun: then it is left incomplete, and
        the server breaks the connection, which is the only way left to tell."""
        if not self.started:
            document = {"error": error, "detail": detail} | ({"system": system} if system else {})
            await self.document(status, document)

    async def document(self, status: int, document: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.started = True
        body = json.dumps(document).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"date", formatdate(time.time(), usegmt=True).encode()),
        ]
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await self._send({"type": f"{self._kind}.start", "status": status, "headers": headers})
        await self._send({"type": f"{self._kind}.body", "body": body, "more_body": False})


class _Counted:
    """Receives a body within the limits; one beyond them ends as if the client had left.

    So a client that sends for ever, or nothing for ever, holds no connection to a system.
    """

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._left, self._patience = receive, limits.body, limits.client
        self._complete = self.exceeded = self.late = False

    async def __call__(self) -> Message:
        if self.exceeded or self.late:
            return {"type": "http.disconnect"}
        try:
            # After the body the next message is the client's leaving: that may take its time.
            async with asyncio.timeout(None if self._complete else self._patience):
                message = await self._receive()
        except TimeoutError:
            self.late = True
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.exceeded = True
                return {"type": "http.disconnect"}
        return message

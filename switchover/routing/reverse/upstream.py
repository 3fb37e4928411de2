"""One system behind the proxy, as an ASGI application: what it gets is sent to a URL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from urllib.parse import quote, urlsplit

import httpcore
import httpx

from switchover.errors import InputError, UpstreamFailed
from switchover.routing.asgi.answer import is_event_stream
from switchover.routing.asgi.protocol import Receive, Scope, Send, has_body
from switchover.routing.reverse.body import Body
from switchover.routing.reverse.connections import FAILURES, Answer, Connections, Failure
from switchover.routing.reverse.headers import content_length, end_to_end, forwarded
from switchover.routing.reverse.limits import Limits

_log = logging.getLogger("switchover.proxy")

#: Methods that may be sent again over a new connection when an idle one turns out closed.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
#: Characters of a path that stay as they are.
_PATH = "/%:@!$&'()*+,;=~"
#: Statuses that never have a body.
BODILESS = frozenset({204, 304})


class Upstream:
    """Forwards HTTP requests and WebSockets to the system ``name`` at ``url``.

    Bodies stream and are never kept whole; the answer is read once the request's body is
    out, so a system that answers at length while it still reads has to wait. When the system
    gives no answer, ``UpstreamFailed`` is raised before anything was sent to the client. A
    client that leaves ends the request to the system too. The system gets the caller's
    ``host`` header, unless ``keep_host`` is False.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        limits: Limits | None = None,
        via: str = "switchover",
        keep_host: bool = True,
        trusted: bool = False,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(f"{url} is no address of a system; it starts with http:// or https://")
        self.name, self.limits = name, limits or Limits()
        self.origin = httpx.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        self._prefix, self._via = parts.path.rstrip("/").encode(), via.encode("latin-1", "replace")
        self._keep_host, self._trusted = keep_host, trusted
        self._opened: Connections | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            from switchover.routing.reverse.websocket import tunnel

            await tunnel(self, self.headers(scope), scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.close()
            await send({"type": "lifespan.shutdown.complete"})

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    @property
    def _connections(self) -> Connections:
        """Opened with the first request, in the event loop that uses them.

        No HTTP client, as that would follow the environment's proxies, keep cookies and add
        headers of its own.
        """
        if self._opened is None:
            self._opened = Connections(self.origin, self.limits)
        return self._opened

    def target(self, scope: Scope) -> bytes:
        """Path and query as the client spelled them, below where the proxy is mounted.

        As bytes, and past every parser of URLs, which would resolve dots and recode.
        """
        root: str = scope.get("root_path", "")
        raw: bytes = scope.get("raw_path") or quote(scope["path"], safe=_PATH).encode()
        path = raw.partition(b"?")[0]
        if root and scope["path"].startswith(root):
            path = path.removeprefix(quote(root, safe=_PATH).encode()) or b"/"
        query: bytes = scope.get("query_string", b"")
        return self._prefix + path + (b"?" + query if query else b"")

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The request's headers as the system gets them."""
        headers = forwarded(scope, self._via, trusted=self._trusted)
        if self._keep_host and any(name == b"host" for name, _ in headers):
            return headers
        rest = [(name, value) for name, value in headers if name != b"host"]
        return [(b"host", self.origin.netloc), *rest]

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, expected=has_body(scope["headers"]))
        exchange = asyncio.create_task(self._exchange(scope, body, send))
        leaving = asyncio.create_task(body.client_leaves())
        try:
            await asyncio.wait({exchange, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not exchange.done():
                # The client has left, or the caller's patience is over.
                exchange.cancel()
                await asyncio.wait({exchange})
        if not exchange.cancelled():
            exchange.result()

    async def _exchange(self, scope: Scope, body: Body, send: Send) -> None:
        try:
            request, answer = await self._ask(scope, body)
        except FAILURES as error:
            raise self._failed(error) from error
        async with contextlib.aclosing(answer):
            headers = end_to_end(answer.headers)
            bodiless = scope["method"] == "HEAD" or answer.status in BODILESS
            if answer.status == 204:
                headers = [pair for pair in headers if pair[0] != b"content-length"]
            if is_event_stream(headers):
                request.extensions["timeout"]["read"] = None
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": headers,
                }
            )
            if not bodiless:
                await self._pass_on(answer, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, answer: Answer, send: Send) -> None:
        try:
            async for part in answer.parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except FAILURES as error:
            # The head is out: only a broken connection can tell the client now.
            raise self._failed(error) from error

    async def _ask(self, scope: Scope, body: Body) -> tuple[httpcore.Request, Answer]:
        request = self._request(scope, body)
        try:
            return request, await self._connections.ask(request)
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError) as error:
            if scope["method"] not in IDEMPOTENT or body.touched or not _was_idle(error):
                raise
            _log.debug("%s closed an idle connection; once more: %r", self.name, error)
            request = self._request(scope, body)
            return request, await self._connections.ask(request)

    def _request(self, scope: Scope, body: Body) -> httpcore.Request:
        headers = self.headers(scope)
        given = has_body(scope["headers"])
        chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
        if given and (chunked or content_length(headers) is None):
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            headers.append((b"transfer-encoding", b"chunked"))
        return self._connections.request(
            scope["method"], self.target(scope), headers, body.parts() if given else None
        )

    def _failed(self, error: Failure) -> UpstreamFailed:
        if isinstance(error, httpcore.PoolTimeout):
            detail = f"all of its {self.limits.connections} connections are busy"
            return UpstreamFailed(self.name, detail, status=503, sent=False)
        if isinstance(error, httpcore.ConnectTimeout):
            detail = f"it took no connection within {self.limits.connect:g} s"
            return UpstreamFailed(self.name, detail, status=504, sent=False)
        if isinstance(error, httpcore.ConnectError):
            return UpstreamFailed(self.name, "it takes no connections", sent=False)
        if isinstance(error, httpcore.WriteTimeout):
            detail = f"it took nothing of the request's body for {self.limits.write:g} s"
            return UpstreamFailed(self.name, detail, status=504)
        if isinstance(error, httpcore.TimeoutException):
            return UpstreamFailed(
                self.name, f"it was silent for {self.limits.read:g} s", status=504
            )
        return UpstreamFailed(self.name, f"the connection broke ({type(error).__name__})")


def _was_idle(error: Failure) -> bool:
    """Whether no byte of an answer came, as from a connection that was closed while idle."""
    return not isinstance(error, httpcore.RemoteProtocolError) or "without sending" in str(error)

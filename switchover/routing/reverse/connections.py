"""Connections to one system, kept and used again: the one used last is the next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable
from typing import cast

import httpcore
import httpx

from switchover.routing.reverse.headers import Headers
from switchover.routing.reverse.limits import Limits

#: Every way in which an exchange with a system fails.
Failure = httpcore.TimeoutException | httpcore.NetworkError | httpcore.ProtocolError
FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


class Connections:
    """At most ``limits.connections`` at a time to ``origin``.

    ``httpcore`` does the talking but not the keeping: its pool looks at every connection for
    every request, and so takes longer the more of them there are.
    """

    def __init__(self, origin: httpx.URL, limits: Limits) -> None:
        secure = origin.scheme == "https"
        port = origin.port or (443 if secure else 80)
        self._origin = httpcore.Origin(origin.raw_scheme, origin.raw_host, port)
        self._tls = httpx.create_ssl_context(trust_env=False) if secure else None
        self._limits, self._closed = limits, False
        self._places = asyncio.Semaphore(limits.connections)
        self._idle: deque[tuple[float, httpcore.AsyncHTTPConnection]] = deque()

    def request(
        self, method: str, target: bytes, headers: Headers, body: AsyncIterable[bytes] | None
    ) -> httpcore.Request:
        """A request to ``target``, byte for byte, with these headers and no others."""
        origin, limits = self._origin, self._limits
        timeouts = {"connect": limits.connect, "read": limits.read, "write": limits.write}
        return httpcore.Request(
            method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target),
            headers=headers,
            content=b"" if body is None else body,
            extensions={"timeout": timeouts},
        )

    async def ask(self, request: httpcore.Request) -> Answer:
        """Send ``request`` and give the answer's head; one of ``FAILURES`` is raised otherwise."""
        await self._enter()
        try:
            connection = await self._connection()
            try:
                response = await connection.handle_async_request(request)
            except BaseException:
                await connection.aclose()
                raise
        except BaseException:
            self._places.release()
            raise
        return Answer(self, connection, response)

    async def give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep it for the next request, if its last answer was read to the end."""
        self._places.release()
        if connection.is_idle() and not self._closed:
            self._idle.append((time.monotonic(), connection))
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close what is idle now, and the others when their answers end."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].aclose()

    async def _enter(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._limits.pool):
                await self._places.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout from None

    async def _connection(self) -> httpcore.AsyncHTTPConnection:
        oldest = time.monotonic() - self._limits.idle
        while self._idle and self._idle[0][0] < oldest:
            await self._idle.popleft()[1].aclose()
        while self._idle:
            connection = self._idle.pop()[1]
            if not connection.has_expired():
                return connection
            # Closed by the system while nobody used it.
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(self._origin, ssl_context=self._tls)


class Answer:
    """The head of an answer; its body comes in ``parts``. Has to be closed."""

    def __init__(
        self,
        connections: Connections,
        connection: httpcore.AsyncHTTPConnection,
        response: httpcore.Response,
    ) -> None:
        self._connections, self._connection, self._response = connections, connection, response
        self.status: int = response.status
        self.headers: Headers = response.headers

    @property
    def parts(self) -> AsyncIterable[bytes]:
        """The body as it comes."""
        return cast(AsyncIterable[bytes], self._response.stream)

    async def aclose(self) -> None:
        """Let go of the connection; what was not read of the body is lost."""
        try:
            await self._response.aclose()
        finally:
            await self._connections.give_back(self._connection)

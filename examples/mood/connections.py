"""A small HTTP/1.1 client: kept-alive connections, answers with a length, nothing else.

A general client costs several times the service's own work per request; on the demo's two
cores that would measure the client. It speaks to this example's services only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

#: An answer larger than this is refused.
LARGEST = 1_000_000


class Unanswered(Exception):
    """No usable HTTP answer came back; the message says why."""


@dataclass(frozen=True)
class Answer:
    """Status and body."""

    status: int
    body: bytes


class Connections:
    """Kept-alive connections to one base URL, one request at a time on each."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is no http:// address; give it as http://127.0.0.1:8001")
        self.host, self.port = parts.hostname, parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._host_line = f"Host: {self.host}:{self.port}\r\n"

    @property
    def is_loopback(self) -> bool:
        """True when every address of the host is this machine's own."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ValueError(f"cannot resolve {self.host!r}: {error}") from error
        return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)

    async def get(self, path: str, *, timeout: float) -> Answer:
        """GET; raises ``TimeoutError`` or ``Unanswered``."""
        return await self._send("GET", path, b"", {}, timeout)

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str], *, timeout: float
    ) -> Answer:
        """POST of JSON; raises ``TimeoutError`` or ``Unanswered``.

        On a kept-alive connection that the server had closed it is sent once more on a new
        one, which is safe because the services are idempotent by request id.
        """
        return await self._send("POST", path, body, headers, timeout)

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} {path} HTTP/1.1\r\n{self._host_line}{fields}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        message = head.encode("latin-1") + body
        try:
            async with asyncio.timeout(timeout):
                while self._idle:
                    try:
                        return await self._exchange(*self._idle.pop(), message)
                    except (OSError, EOFError):
                        continue  # closed while idle; try the next, then a new one
                return await self._exchange(
                    *await asyncio.open_connection(self.host, self.port), message
                )
        except TimeoutError:
            raise
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise Unanswered(f"{self.host}:{self.port}: {error or type(error).__name__}") from error

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes
    ) -> Answer:
        whole = False
        try:
            writer.write(message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = int(head[9:12])
            at = head.find(b"content-length:")
            if at < 0:
                raise ValueError("the answer has no length")
            length = int(head[at + 15 : head.index(b"\r\n", at)])
            if length > LARGEST:
                raise ValueError(f"the answer has {length} bytes, more than {LARGEST}")
            body = await reader.readexactly(length)
            whole = b"connection: close" not in head
            return Answer(status, body)
        finally:
            if whole:
                self._idle.append((reader, writer))
            else:
                writer.close()

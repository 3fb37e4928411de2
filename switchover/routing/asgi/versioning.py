"""API versions by path: the root stays as it is, ``/v1`` is its alias, ``/v2`` the candidate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from switchover.errors import InputError
from switchover.routing.asgi.lifespan import Lifespan, serve_lifespan
from switchover.routing.asgi.protocol import App, Message, Receive, Scope, Send

_log = logging.getLogger("switchover.asgi")

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A version is on its way out: since ``at``, gone at ``sunset``, as ``notice`` says.

    ``link`` is a page for people who have to move. Becomes the headers ``Deprecation``
    (RFC 9745), ``Sunset`` (RFC 8594), ``Link`` and ``Warning`` (code 299, RFC 7234).
    """

    at: datetime
    sunset: datetime | None = None
    notice: str = ""
    link: str = ""

    def __post_init__(self) -> None:
        if self.sunset is not None and _utc(self.sunset) < _utc(self.at):
            raise InputError("the sunset comes before the deprecation; swap the two dates")
        for name in ("notice", "link"):
            value = getattr(self, name)
            if not value.isascii() or not value.isprintable():
                raise InputError(f"{name} goes into a header; write it in printable ASCII")
        if set(self.link) & set('<>" '):
            raise InputError("the link is a URL, without spaces, quotes or angle brackets")

    def headers(self, version: str) -> Headers:
        """The headers for answers of ``version``."""
        day = _utc(self.sunset).date().isoformat() if self.sunset else ""
        ending = f" and ends on {day}" if day else ""
        notice = self.notice or f"API version {version} is deprecated{ending}"
        quoted = notice.replace("\\", "\\\\").replace('"', '\\"')
        found = [("deprecation", f"@{int(_utc(self.at).timestamp())}")]
        if self.sunset is not None:
            found.append(("sunset", format_datetime(_utc(self.sunset), usegmt=True)))
        found.append(("warning", f'299 - "{quoted}"'))
        if self.link:
            found.append(("link", f'<{self.link}>; rel="deprecation"; type="text/html"'))
        return tuple((name.encode(), value.encode("ascii")) for name, value in found)


class VersionedAPI:
    """Gives ``app`` the paths ``/v1/…``, and ``candidate`` the paths ``/v2/…``.

    What ``app`` answers at ``/x`` it also answers at ``/v1/x``, with ``x-api-version: 1.0``
    and the headers of ``deprecation``; the routes exist once. Answers of the root have no
    new header. ``candidate`` sees ``/x`` for ``/v2/x``; its answers carry
    ``x-api-version: 2.0``. The prefix goes into ``root_path``, so that links made by the
    application stay inside the version. WebSockets work the same.
    """

    def __init__(
        self, app: App, candidate: App | None = None, *, deprecation: Deprecation | None = None
    ) -> None:
        self._app, self._candidate = app, candidate
        marks: dict[str, tuple[App, Headers, str]] = {}
        old = deprecation.headers("1.0") if deprecation is not None else ()
        marks["/v1"] = (app, ((b"x-api-version", b"1.0"), *old), "app")
        if candidate is not None:
            marks["/v2"] = (candidate, ((b"x-api-version", b"2.0"),), "candidate")
        self._versions: Mapping[str, tuple[App, Headers, str]] = marks
        self._state: dict[str, object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        root = scope.get("root_path", "")
        path = scope.get("path", "")
        below = path.removeprefix(root) if root and path.startswith(root) else path
        prefix, slash, _ = below[1:].partition("/")
        version = self._versions.get(f"/{prefix}") if below.startswith("/") else None
        if version is None or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        app, headers, name = version
        inner = {**scope, "root_path": f"{root}/{prefix}"}
        if not slash:
            # "/v1" itself is the root of that version.
            inner["path"] = f"{path}/"
            if scope.get("raw_path"):
                inner["raw_path"] = scope["raw_path"] + b"/"
        if name == "candidate":
            inner["state"] = dict(self._state)
        await app(inner, receive, _marked(send, headers))

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Both start and stop with the server."""
        if self._candidate is None:
            await self._app(scope, receive, send)
            return
        first = Lifespan(self._app, scope, "v1", scope.get("state", {}))
        second = Lifespan(self._candidate, scope, "v2", self._state)
        await serve_lifespan((first, second), receive, send, self._not_started, _nothing)

    def _not_started(self, place: int, problem: str) -> None:
        """Version 1 serves on; version 2 says that it does not."""
        _log.error("API version 2.0 did not start: %s", problem)

        async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1013})
                return
            body = b'{"error": "unavailable", "detail": "API version 2.0 did not start"}'
            headers = [(b"content-type", b"application/json"), (b"retry-after", b"60")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        _, headers, name = self._versions["/v2"]
        self._versions = {**self._versions, "/v2": (unavailable, headers, name)}


def _marked(send: Send, headers: Headers) -> Send:
    """``send``, with ``headers`` on every answer and every accepted WebSocket."""
    replaced = {name for name, _ in headers if name != b"link"}

    async def marked(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            kept = [
                (name, value)
                for name, value in message.get("headers", ())
                if name.lower() not in replaced
            ]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return marked


async def _nothing() -> None:
    """Nothing has to end before the applications do."""


def _utc(moment: datetime) -> datetime:
    """``moment`` in UTC; one without a time zone is meant to be."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

"""Where a request's key is read: what keeps a caller on one side."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qsl

from switchover.routing.asgi.protocol import Scope, text_header
from switchover.routing.asgi.replay import Replay
from switchover.routing.bucket import Key

#: The header that names the key outright.
KEY_HEADER = "x-switchover-key"


class KeyReader(Protocol):
    """Reads the key; ``None`` where the request has none. ``body`` is for HTTP requests."""

    async def read(self, scope: Scope, body: Replay | None) -> Key | None: ...


class HeaderKey:
    """The key is a header's value."""

    def __init__(self, name: str = KEY_HEADER) -> None:
        self._name = name.lower().encode("latin-1")

    async def read(self, scope: Scope, body: Replay | None) -> Key | None:
        return text_header(scope["headers"], self._name) or None


class CallableKey:
    """The key is what a function makes of the ASGI scope."""

    def __init__(self, function: Callable[[Scope], Key | None]) -> None:
        self._function = function

    async def read(self, scope: Scope, body: Replay | None) -> Key | None:
        return self._function(scope)


class FieldKey:
    """The plan's ``request_key.field``, wherever the request has it.

    In this order: the header ``x-switchover-key``, a query parameter, a cookie, a field of a
    JSON body (dots lead into objects: ``patient.id``). A body that is longer than the
    buffer, not JSON, or without the field gives no key.
    """

    def __init__(self, field: str) -> None:
        self._field, self._path = field, field.split(".")
        self._header = HeaderKey()

    async def read(self, scope: Scope, body: Replay | None) -> Key | None:
        found = await self._header.read(scope, body) or self._query(scope) or self._cookie(scope)
        if found or body is None:
            return found
        kind = text_header(scope["headers"], b"content-type").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            return None
        return self._in_json(await body.body())

    def _query(self, scope: Scope) -> str | None:
        query = scope.get("query_string", b"").decode("latin-1")
        try:
            pairs = parse_qsl(query, max_num_fields=1000)
        except ValueError:
            # More fields than anybody means; such a request has no key.
            return None
        return next((value for name, value in pairs if name == self._field), None)

    def _cookie(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == b"cookie":
                try:
                    cookie = SimpleCookie(value.decode("latin-1")).get(self._field)
                except CookieError:
                    continue
                if cookie is not None and cookie.value:
                    return cookie.value
        return None

    def _in_json(self, body: bytes | None) -> Key | None:
        if not body:
            return None
        try:
            value: Any = json.loads(body)
        except (ValueError, RecursionError):
            return None
        for step in self._path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        # As text, so that 42 in a body and 42 in a query are the same caller.
        return str(value) or None


def key_reader(key: str | KeyReader | Callable[[Scope], Key | None]) -> KeyReader:
    """A header's name, a function of the scope, or a reader that is one already."""
    if isinstance(key, str):
        return HeaderKey(key)
    if hasattr(key, "read"):
        return key
    return CallableKey(key)

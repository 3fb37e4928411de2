"""The ASGI interface in types, and what is asked of its headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

#: Names in lower case and values, as ASGI has them.
RawHeaders = Iterable[tuple[bytes, bytes]]


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """The first value of the header ``name`` (lower case), ``None`` without one."""
    return next((value for found, value in headers if found.lower() == name), None)


def text_header(headers: RawHeaders, name: bytes) -> str:
    """The first value of ``name`` as text, without white space around it; empty without one."""
    return (header(headers, name) or b"").decode("latin-1").strip()


def has_body(headers: RawHeaders) -> bool:
    """Whether a request's headers announce a body (RFC 9112, 6)."""
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
            return True
    return False

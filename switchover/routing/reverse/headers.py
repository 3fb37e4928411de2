"""Headers on their way through: what a proxy takes out, and what it adds (RFC 9110, 7.6)."""

from __future__ import annotations

from collections.abc import Iterable

from switchover.routing.asgi.protocol import RawHeaders, Scope

Headers = list[tuple[bytes, bytes]]

#: Fields of one connection, never of the message. ``connection`` may name more of them.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"proxy-authenticate",
        b"proxy-authorization",
    }
)

#: What only a proxy may say of a request; taken from a client it would be believed.
_OURS = frozenset({b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"forwarded"})

#: End-to-end fields that keep their meaning only here: naming them in ``connection`` is an
#: attempt to have them removed between the proxy and the system.
_KEPT = frozenset({b"host", b"content-length", b"authorization", b"cookie", b"via"}) | _OURS


def end_to_end(headers: RawHeaders) -> Headers:
    """``headers`` without those of the connection they came over."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {
        option.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for option in value.split(b",")
    }
    dropped = HOP_BY_HOP | (named - _KEPT - {b"x-forwarded-for"})
    return [(name, value) for name, value in lowered if name not in dropped]


def forwarded(scope: Scope, via: bytes, *, trusted: bool) -> Headers:
    """The request's headers as a system behind the proxy gets them.

    ``x-forwarded-for`` grows by the client's address; the scheme, the host and the port are
    the proxy's own finding, unless what is in front of it is ``trusted``. ``expect`` is
    answered here, so it stays here.
    """
    headers = [pair for pair in end_to_end(scope["headers"]) if pair[0] != b"expect"]
    client = scope.get("client")
    address = client[0].encode("latin-1", "replace") if client else b"unknown"
    chain = [value for name, value in headers if name == b"x-forwarded-for"]
    earlier = [value for name, value in headers if name == b"via"]
    ours: Headers = [
        (b"x-forwarded-for", b", ".join([*chain, address])),
        (b"via", b", ".join([*earlier, version(scope) + b" " + via])),
    ]
    host = next((value for name, value in headers if name == b"host"), b"")
    secure = scope.get("scheme", "http") in ("https", "wss")
    found = {b"x-forwarded-proto": b"https" if secure else b"http", b"x-forwarded-host": host}
    given = {name for name, _ in headers} if trusted else set()
    ours += [(name, value) for name, value in found.items() if value and name not in given]
    replaced = {b"x-forwarded-for", b"via"} | (set() if trusted else _OURS)
    return [pair for pair in headers if pair[0] not in replaced] + ours


def loops(headers: RawHeaders, via: bytes) -> bool:
    """Whether this proxy has passed the request on before."""
    return any(
        hop.split()[-1:] == [via]
        for name, value in headers
        if name == b"via"
        for hop in value.split(b",")
    )


def version(scope: Scope) -> bytes:
    """The protocol's version as ``via`` gives it."""
    return str(scope.get("http_version", "1.1")).encode()


def size(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Bytes of a header section as HTTP/1.1 sends it."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def content_length(headers: RawHeaders) -> int | None:
    """The announced length of the body, ``None`` where it is not known before its end."""
    values = {value.strip() for name, value in headers if name == b"content-length"}
    if len(values) == 1 and (value := values.pop()).isdigit():
        return int(value)
    return None

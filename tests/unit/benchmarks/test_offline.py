"""What a benchmark may connect to, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.routing.offline import leaves_machine

SOCKET = object()


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (SOCKET, ("192.0.2.1", 443))),
        ("socket.connect", (SOCKET, ("2001:db8::1", 443, 0, 0))),
        ("socket.connect", (SOCKET, ("events.example.com", 443))),
        ("socket.sendto", (SOCKET, ("192.0.2.1", 53))),
        ("socket.getaddrinfo", ("events.example.com", 443, 0, 0, 0)),
        ("socket.getaddrinfo", (b"events.example.com", 443, 0, 0, 0)),
        ("socket.gethostbyname", ("events.example.com",)),
    ],
)
def test_another_machine_is_refused(event: str, arguments: tuple[Any, ...]) -> None:
    """By address and by name, and already when the name is looked up."""
    assert leaves_machine(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (SOCKET, ("127.0.0.1", 6379))),
        ("socket.connect", (SOCKET, ("::1", 6379, 0, 0))),
        ("socket.connect", (SOCKET, "/run/valkey.sock")),
        ("socket.sendmsg", (SOCKET, None)),
        ("socket.getaddrinfo", ("localhost", 6379, 0, 0, 0)),
        ("socket.getaddrinfo", (None, 0, 0, 0, 0)),
        ("open", ("events.example.com", "r", 0)),
    ],
)
def test_this_machine_is_let_through(event: str, arguments: tuple[Any, ...]) -> None:
    """Loopback, Unix sockets, and what is no network at all."""
    assert not leaves_machine(event, arguments)

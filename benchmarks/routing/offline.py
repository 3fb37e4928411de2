"""A benchmark sends nothing off the machine: every connection but to loopback is refused."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

#: Audit events of the interpreter that name where to, and which argument does.
_EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
_attempts: list[str] = []


def leaves_machine(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether what an audit event announces goes to another machine."""
    if event not in _EVENTS:
        return False
    where = arguments[_EVENTS[event]]
    host = where[0] if isinstance(where, tuple) else where
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and not isinstance(
        where, tuple
    ):
        return False  # a Unix socket, or a socket that is connected already
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def stay_on_machine() -> list[str]:
    """From now on and for good refuse what leaves; gives the list that attempts are told to."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and leaves_machine(event, arguments):
            _attempts.append(f"{event} {arguments[_EVENTS[event]]!r}")
            raise PermissionError(f"a benchmark may not reach {arguments[_EVENTS[event]]!r}")

    sys.addaudithook(watch)
    return _attempts

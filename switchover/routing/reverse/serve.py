"""The proxy as a process: a socket, a server, an orderly end."""

from __future__ import annotations

import gc
import os
import signal
import socket
from types import FrameType

import uvicorn

from switchover.errors import InputError
from switchover.routing.asgi.protocol import App
from switchover.routing.reverse.limits import Limits
from switchover.routing.reverse.websocket import MESSAGE

#: Seconds that requests in flight have after the order to stop.
GRACE = 10


def listening(address: str) -> socket.socket:
    """A socket bound to ``HOST:PORT`` (``[::1]:8080`` for IPv6; port 0: any that is free)."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise InputError(f"{address} is no address to listen on; give it like 127.0.0.1:8080")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio switches Nagle's algorithm off only where it is;
    # with it, small answers wait 40 ms for an acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.listen(2048)
        return sock
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(f"can't listen on {address}: {reason}; choose another --listen") from error


def serve(app: App, sock: socket.socket, limits: Limits | None = None) -> None:
    """Serve until SIGTERM or SIGINT; returns when the last request has ended."""
    made = server(app, limits)

    def heard(number: int, frame: FrameType | None) -> None:
        """The order to stop, before the server listens for it, or once more after it has."""
        made.should_exit = True

    # uvicorn raises the signal once more when it is done. It has done its work by then, and
    # what comes after serving (shipping the last blocks, signing off) must not be cut off.
    earlier = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    # What is loaded by now stays. A full collection that looks through all of it answers nobody
    # for tens of milliseconds, again and again.
    gc.collect()
    gc.freeze()
    try:
        made.run(sockets=[sock])
    finally:
        gc.unfreeze()
        for number, handler in earlier.items():
            signal.signal(number, handler)


def server(app: App, limits: Limits | None = None) -> uvicorn.Server:
    """A server for ``app`` that adds nothing of its own to what passes through.

    On SIGTERM or SIGINT it takes no more connections and lets requests end for ``GRACE``
    seconds.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        # The systems' headers are their own, and clients are believed nothing.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ws_max_size=MESSAGE,
        # Room to read what is too long and say so, instead of breaking off.
        h11_max_incomplete_event_size=2 * (limits or Limits()).headers + 64 * 1024,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )
    return uvicorn.Server(config)

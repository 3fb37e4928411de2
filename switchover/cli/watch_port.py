"""What a supervisor asks a guard: `/health` and `/ready` over HTTP, and systemd's messages."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from switchover.engine.guard import Patrol

#: A guard that has not ended a sweep for so many of its intervals, and seconds at least, hangs.
MISSED, LEAST = 10.0, 30.0


class Vitals:
    """What is known of the guard's latest sweep; written by the guard, read by whoever asks."""

    def __init__(self, guard: str, every: float) -> None:
        self._guard, self._limit = guard, max(LEAST, MISSED * every)
        self._ended, self._done = time.monotonic(), Patrol(trouble="no sweep has ended yet")

    def note(self, done: Patrol) -> None:
        """A sweep has ended."""
        self._ended, self._done = time.monotonic(), done

    @property
    def healthy(self) -> bool:
        """Whether sweeps end. A database that is down is no reason to start the guard again."""
        return time.monotonic() - self._ended <= self._limit

    @property
    def ready(self) -> bool:
        """Whether it judges."""
        return self.healthy and not self._done.trouble

    def to_dict(self) -> dict[str, Any]:
        """What is answered."""
        done = self._done
        return {
            "guard": self._guard,
            "status": ("watching" if self.ready else "blind") if self.healthy else "hangs",
            "last_sweep": round(time.monotonic() - self._ended, 3),
            "took": round(done.took, 3),
            "migrations": done.looks,
            "errors": dict(done.errors),
            "trouble": done.trouble or None,
        }


@contextmanager
def answering(vitals: Vitals, host: str, port: int | None) -> Iterator[int]:
    """Answer on ``port`` while the block runs (0: any free one); gives the port, 0 for none."""
    if port is None:
        yield 0
        return

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fine = {"/health": vitals.healthy, "/ready": vitals.ready}.get(self.path)
            body = json.dumps(vitals.to_dict() if fine is not None else {"error": "not found"})
            self.send_response(404 if fine is None else 200 if fine else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """A supervisor asks every few seconds: not worth a line."""

    with ThreadingHTTPServer((host, port), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="watch-port", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def tell_systemd(message: str) -> None:
    """A message to the supervisor that started this as ``Type=notify``; to nobody otherwise."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract sockets
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.sendto(message.encode(), address)

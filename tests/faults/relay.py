"""A TCP relay that loses a reply: the request goes through, and the connection breaks."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 1 << 16


class Relay:
    """Between a client and the server at ``url``; ``url`` of the relay is the same with another
    port. Loses the replies to the requests whose numbers are in ``lose``, counted from 1;
    ``last`` is when it did so last."""

    def __init__(self, url: str, lose: frozenset[int]) -> None:
        self._parts, self._lose = urlsplit(url), lose
        self.requests, self.lost, self.last = 0, 0, 0.0
        self._lock, self._listener = threading.Lock(), socket.socket()
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Where clients go instead."""
        credentials, at, _ = self._parts.netloc.rpartition("@")
        port = self._listener.getsockname()[1]
        return urlunsplit(self._parts._replace(netloc=f"{credentials}{at}127.0.0.1:{port}"))

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        for each in list(self._open):
            _end(each)

    def _accept(self) -> None:
        target = (self._parts.hostname or "", self._parts.port or 0)
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the trial is over
                return
            try:
                server = socket.create_connection(target, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            doomed = threading.Event()
            for pump in (self._requests, self._replies):
                threading.Thread(target=pump, args=(client, server, doomed), daemon=True).start()

    def _requests(
        self, client: socket.socket, server: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):  # either side has hung up
            while data := client.recv(_CHUNK):
                with self._lock:
                    self.requests += 1
                    if self.requests in self._lose:
                        doomed.set()
                server.sendall(data)
        if not doomed.is_set():
            _end(client, server)

    def _replies(
        self, client: socket.socket, server: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if doomed.is_set():
                    with self._lock:
                        self.lost, self.last = self.lost + 1, time.monotonic()
                    break
                client.sendall(data)
        _end(client, server)


def _end(*ends: socket.socket) -> None:
    for each in ends:
        with suppress(OSError):  # not connected any more
            each.shutdown(socket.SHUT_RDWR)
        each.close()

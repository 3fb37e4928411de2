"""Follows one migration's routing document in Redis, and tells Redis what was taken."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from switchover.connection import open_client, reaching_redis, redis_key, text
from switchover.errors import SwitchoverError
from switchover.machine.propagation import Acknowledgement

_log = logging.getLogger("switchover.router")

#: Milliseconds to wait for a change, at most, before the document is read again anyway.
BLOCK = 500
#: Seconds between heartbeats, and milliseconds after which a silent router is not live.
HEARTBEAT = 2.0
ALIVE = 10_000
#: Seconds to wait before trying a failed connection again: the first and the longest wait.
RETRY_FIRST, RETRY_MOST = 0.05, 1.0


class Reader:
    """A daemon thread that hands every state of the document to ``take``.

    ``take`` gets the document's text, or ``None`` where none is stored; it gives the
    ``(epoch, since)`` that is served afterwards, which is acknowledged at once when it
    changed and with every heartbeat.
    """

    def __init__(
        self,
        migration: str,
        address: Any,
        router: str,
        max_staleness: float,
        take: Callable[[str | None], tuple[int, float]],
    ) -> None:
        self._migration, self._address, self._router = migration, address, router
        self._max_staleness = max_staleness
        self._take = take
        self._stop = threading.Event()
        self._acknowledged, self._beat = -1, 0.0
        self._held, self._mute = (0, time.time()), False
        self._failures = 0
        #: Why Redis can't be followed just now; None while it can.
        self.failure: Exception | None = None
        self._client: Any = None
        # The document is confirmed once per wait, so a wait is a small part of the staleness.
        self._block = max(10, min(BLOCK, round(max_staleness * 250)))
        self._thread = threading.Thread(
            target=self._run, name=f"switchover-router-{migration}", daemon=True
        )

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Sign off and end, waiting at most for one answer of Redis."""
        self._stop.set()
        if isinstance(self._address, str) and self._client is not None:
            # Ends the wait for a change; the thread signs off over a new connection.
            self._client.connection_pool.disconnect()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=3.0)

    def _run(self) -> None:
        wait = RETRY_FIRST
        while not self._stop.is_set():
            try:
                if self._client is None:
                    self._client = open_client(self._address, retries=0)
                with reaching_redis(self._address):
                    self._follow(self._client)
                wait, self._failures, self.failure = RETRY_FIRST, 0, None
            except SwitchoverError as error:
                self._failed(error)
                self._stop.wait(wait)
                wait = min(wait * 2, RETRY_MOST)
            except Exception as error:
                # Nothing may end this thread: without it a rollback would not arrive.
                self._failed(error)
                self._stop.wait(RETRY_MOST)
        if self._client is not None:
            self._sign_off(self._client)

    def _failed(self, error: Exception) -> None:
        if self._stop.is_set():
            return
        self._failures, self.failure = self._failures + 1, error
        self._acknowledged = -1
        if self._failures == 1 or self._failures % 60 == 0:
            unexpected = None if isinstance(error, SwitchoverError) else error
            _log.warning(
                "%s: %s (failure %d)", self._migration, error, self._failures, exc_info=unexpected
            )

    def _follow(self, client: Any) -> None:
        """One round: read the document, say what was taken, wait for the next change.

        The stream's newest id is read before the document, so a change between the two ends
        the wait at once and none is missed, even where Redis lost its data meanwhile. A Redis
        that takes no writes confirms nothing: a rollback could not be written to it either.
        """
        if self._mute:
            self._acknowledge(client, *self._held)
        changes = redis_key(self._migration, "changes")
        pipeline = client.pipeline(transaction=False)
        pipeline.xrevrange(changes, count=1)
        pipeline.hget(redis_key(self._migration, "routing"), "document")
        newest, document = pipeline.execute()
        self._held = self._take(None if document is None else text(document))
        self._acknowledge(client, *self._held)
        last = text(newest[0][0]) if newest else "0-0"
        woken = client.xread({changes: last}, count=1, block=self._block)
        if isinstance(woken, list) and woken:
            self._take_change(woken[0][1][0][1])

    def _take_change(self, fields: dict[Any, Any]) -> None:
        """Serve by what ended the wait, before the next round reads what is stored by then.

        Under load every answer of Redis is waited for twice, for the network and for the
        interpreter, so asking again would double the time that a rollback takes to arrive.
        """
        told = {text(name): text(value) for name, value in fields.items()}
        epoch = told.get("epoch", "")
        if epoch.isdecimal() and int(epoch) > self._held[0] and "document" in told:
            self._held = self._take(told["document"])

    def _acknowledge(self, client: Any, epoch: int, since: float) -> None:
        now = time.monotonic()
        if epoch == self._acknowledged and now - self._beat < HEARTBEAT:
            return
        said = Acknowledgement(self._router, epoch, since, os.getpid(), socket.gethostname())
        pipeline = client.pipeline(transaction=False)
        pipeline.set(redis_key(self._migration, f"router:{self._router}"), said.to_json(), px=ALIVE)
        pipeline.zadd(
            redis_key(self._migration, "routers"),
            {self._router: time.time() + max(self._max_staleness, ALIVE / 1000)},
        )
        self._mute = True
        pipeline.execute()
        self._acknowledged, self._beat, self._mute = epoch, now, False

    def _sign_off(self, client: Any) -> None:
        try:
            with reaching_redis(self._address):
                client.delete(redis_key(self._migration, f"router:{self._router}"))
                client.zrem(redis_key(self._migration, "routers"), self._router)
            if isinstance(self._address, str):
                client.close()
        except SwitchoverError as error:
            _log.info("%s: router %s could not sign off: %s", self._migration, self._router, error)

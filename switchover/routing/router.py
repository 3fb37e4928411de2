"""The router an application imports: one call per request, kept fresh in the background."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from xxhash import xxh3_64_intdigest

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import Key
from switchover.routing.reader import Reader
from switchover.routing.snapshot import Decision, Table, compile_snapshot, decide, legacy_table

_log = logging.getLogger("switchover.router")

_routers: weakref.WeakSet[Router] = weakref.WeakSet()


class Router:
    """Decides, for each request, which system serves it.

    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. Until the
    first document is read, and after ``max_staleness`` seconds in which no valid document
    could be confirmed, everything goes to legacy. ``counters`` says what happened to the
    documents: ``taken``, ``malformed``, ``older``, ``missing``, ``stale``.

        with Router("mood").start() as router:
            decision = router.route(patient_id)
    """

    def __init__(self, migration: str, redis_url: Any = None, max_staleness: float = 30.0) -> None:
        if max_staleness <= 0:
            raise InputError(f"max_staleness is {max_staleness}; give a number of seconds above 0")
        ready_client = redis_url is not None and not isinstance(redis_url, str)
        self._address: Any = redis_url if ready_client else redis_address(redis_url)
        self.migration, self.max_staleness = migration, max_staleness
        self.counters: Counter[str] = Counter()
        self._table: Table = legacy_table("cold_start", 0)
        self._snapshot: Snapshot | None = None
        self._text: str | None = None
        self._refused: str | None = None
        self._since = time.time()
        self._fallen_back = ""
        self._started = False
        self._fresh_threads()
        _routers.add(self)

    def _fresh_threads(self) -> None:
        """Everything that does not survive a fork: locks, events, threads, the router's name."""
        self._lock = threading.Lock()
        self._ready, self._stop = threading.Event(), threading.Event()
        self._confirmed = time.monotonic()
        self.id = uuid.uuid4().hex[:12]
        self._reader = Reader(
            self.migration, self._address, self.id, self.max_staleness, self._take
        )
        self._watch = threading.Thread(
            target=self._watch_staleness, name=f"switchover-watch-{self.migration}", daemon=True
        )

    def route(self, key: Key) -> Decision:
        """Which system serves ``key`` now. Does no I/O and never raises."""
        prefix, split, into, out, careful = self._table
        if careful is not None:
            return careful(key)
        try:
            return into if xxh3_64_intdigest(prefix + key.encode()) % 10_000 < split else out  # type: ignore[union-attr]
        except (AttributeError, UnicodeEncodeError):
            # Not a string, or one with a lone surrogate: rare enough to take the long way.
            return decide(self._table, key)

    def start(self) -> Self:
        """Begin to follow the routing document; returns at once. Twice is as good as once."""
        if not self._started:
            self._started = True
            self._confirmed = time.monotonic()
            self._reader.start()
            self._watch.start()
        return self

    def wait_ready(self, timeout: float = 5.0) -> bool:
        """Wait until Redis answered once; False when it did not within ``timeout`` seconds."""
        return self._ready.wait(timeout)

    def close(self) -> None:
        """Stop following and sign off; :meth:`route` then sends everything to legacy."""
        self._stop.set()
        self._reader.stop()
        with self._lock:
            if self._started:
                self._fall_back("stale")
        self._started = False
        _routers.discard(self)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def mode(self) -> str:
        """The mode in force; ``legacy_only`` while there is no document to rely on."""
        snapshot = self._snapshot
        return "legacy_only" if snapshot is None or self._fallen_back else snapshot.mode

    @property
    def epoch(self) -> int:
        """The epoch of the last document taken, 0 before the first."""
        snapshot = self._snapshot
        return snapshot.epoch if snapshot is not None else 0

    @property
    def agreement(self) -> Mapping[str, Any]:
        """How answers are compared, as the document says; empty before the first."""
        snapshot = self._snapshot
        return snapshot.agreement if snapshot is not None else {}

    @property
    def healthy(self) -> bool:
        """True while the document is confirmed by Redis within ``max_staleness``."""
        return self._started and self._ready.is_set() and not self._fallen_back

    def _take(self, document: str | None) -> tuple[int, float]:
        """Judge what Redis holds. Only a valid, not older document confirms the present one."""
        with self._lock:
            if document is not None and document == self._text:
                self._confirm()
            elif document is not None:
                self._judge(document)
            elif self._snapshot is None:
                self._confirm()
            else:
                self._refuse("missing", "", "Redis no longer holds a routing document")
            return self.epoch, self._since

    def _judge(self, document: str) -> None:
        try:
            snapshot = Snapshot.from_json(document)
            if snapshot.migration != self.migration:
                raise ValueError(f"it belongs to {snapshot.migration!r}")
            table = compile_snapshot(snapshot)
        except (ValueError, TypeError) as error:
            self._refuse("malformed", document, f"a malformed routing document: {error}")
            return
        if self._snapshot is not None and snapshot.epoch <= self._snapshot.epoch:
            self._refuse(
                "older",
                document,
                f"a routing document of epoch {snapshot.epoch}, holding {self._snapshot.epoch}",
            )
            if snapshot.mode == "emergency_rollback":
                # Too old to be taken, but an order to stop is obeyed in any case.
                self._fall_back("emergency_rollback")
            return
        self._snapshot, self._text, self._since = snapshot, document, time.time()
        self._table, self._fallen_back = table, ""
        self.counters["taken"] += 1
        self._confirm()
        _log.info(
            "%s: epoch %d, mode %s, split %.2f %%",
            self.migration,
            snapshot.epoch,
            snapshot.mode,
            snapshot.split / 100,
        )

    def _confirm(self) -> None:
        self._confirmed = time.monotonic()
        self._refused = None
        if self._fallen_back:
            _log.warning("%s: the routing document is confirmed again", self.migration)
            self._fallen_back = ""
            self._table = (
                legacy_table("cold_start", 0)
                if self._snapshot is None
                else compile_snapshot(self._snapshot)
            )
        self._ready.set()

    def _refuse(self, counter: str, document: str, what: str) -> None:
        """Keep the last good document, for ``max_staleness`` at most; say so once."""
        if self._refused != document:
            self._refused = document
            self.counters[counter] += 1
            _log.warning("%s: refused: %s", self.migration, what)
        self._ready.set()

    def _fall_back(self, reason: str) -> None:
        if self._fallen_back != reason:
            self._fallen_back = reason
            self._table = legacy_table(reason, self.epoch)

    def _watch_staleness(self) -> None:
        """A thread of its own, so that a reader stuck in the network can't delay it."""
        stop, interval = self._stop, min(self.max_staleness / 10, 1.0)
        while not stop.wait(interval):
            with self._lock:
                silent = time.monotonic() - self._confirmed
                if silent > self.max_staleness and not self._fallen_back:
                    self.counters["stale"] += 1
                    self._fall_back("stale")
                    _log.warning(
                        "%s: no valid routing document for %.1f s; everything goes to legacy",
                        self.migration,
                        silent,
                    )

    def _after_fork(self) -> None:
        """The child has the parent's answers but none of its threads: start its own."""
        started = self._started
        self._fresh_threads()
        self._started = False
        if started:
            self.start()


def _restart_after_fork() -> None:
    for router in list(_routers):
        router._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_after_fork)

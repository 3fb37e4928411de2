"""The router an application imports: one call per request, kept fresh in the background."""

from __future__ import annotations

import atexit
import os
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from xxhash import xxh3_64_intdigest

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.routing.bucket import Key
from switchover.routing.held import HeldDocument
from switchover.routing.reader import Reader
from switchover.routing.snapshot import Decision, Table, decide

_routers: weakref.WeakSet[Router] = weakref.WeakSet()


class Router:
    """Decides, for each request, which system serves it.

    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. Until the
    first document is read, and after ``max_staleness`` seconds in which no valid document
    could be confirmed, everything goes to legacy. A router survives a fork: the child gets
    one of its own.

        with Router("mood") as router:
            decision = router.route(patient_id)
    """

    _table: Table

    def __init__(self, migration: str, redis_url: Any = None, max_staleness: float = 30.0) -> None:
        if max_staleness <= 0:
            raise InputError(f"max_staleness is {max_staleness}; give a number of seconds above 0")
        ready_client = redis_url is not None and not isinstance(redis_url, str)
        self._address: Any = redis_url if ready_client else redis_address(redis_url)
        self.migration, self.max_staleness = migration, max_staleness
        self._started = False
        self._held = HeldDocument(migration, self._install)
        self._fresh_threads()
        _routers.add(self)

    def _install(self, table: Table) -> None:
        self._table = table

    def _fresh_threads(self) -> None:
        """What can't be started twice and does not survive a fork, and with it a new name."""
        self._stop = threading.Event()
        self.id = uuid.uuid4().hex[:12]
        self._reader = Reader(
            self.migration, self._address, self.id, self.max_staleness, self._held.take
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
            point = xxh3_64_intdigest(prefix + key.encode()) % 10_000  # type: ignore[union-attr]
        except (AttributeError, UnicodeEncodeError):
            # Not a string, or one with a lone surrogate: rare enough to take the long way.
            return decide(self._table, key)
        return into if point < split else out

    def flag(self, name: str, key: Key) -> bool:
        """Whether the candidate's feature flag ``name`` is on for ``key``.

        On where the document names the flag and the candidate serves the key: flags go on and
        off with the split, and a rollback switches all of them off. Unknown flags are off.
        """
        snapshot = self._held.snapshot
        if snapshot is None or name not in snapshot.flags:
            return False
        return self.route(key).system == "candidate"

    def start(self) -> Self:
        """Begin to follow the routing document, also after :meth:`close`; returns at once."""
        if not self._started:
            if self._stop.is_set():
                self._fresh_threads()
            self._started = True
            self._held.renew()
            self._reader.start()
            self._watch.start()
        return self

    def wait_ready(self, timeout: float = 5.0) -> bool:
        """Wait until Redis answered once; False when it did not within ``timeout`` seconds."""
        return self._held.ready.wait(timeout)

    def close(self) -> None:
        """Stop following and sign off; :meth:`route` then sends everything to legacy."""
        self._stop.set()
        self._reader.stop()
        if self._started:
            self._held.let_go()
        self._started = False

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
        snapshot = self._held.snapshot
        return "legacy_only" if snapshot is None or self._held.fallen_back else snapshot.mode

    @property
    def epoch(self) -> int:
        """The epoch of the last document taken, 0 before the first."""
        return self._held.epoch

    @property
    def agreement(self) -> Mapping[str, Any]:
        """How answers are compared, as the document says; empty before the first."""
        snapshot = self._held.snapshot
        return snapshot.agreement if snapshot is not None else {}

    @property
    def healthy(self) -> bool:
        """True while the document is confirmed by Redis within ``max_staleness``."""
        return self._started and self._held.ready.is_set() and not self._held.fallen_back

    @property
    def counters(self) -> Counter[str]:
        """What became of the documents seen: ``taken``, ``malformed``, ``older``, ``missing``;
        and ``stale``, how often legacy took over."""
        return self._held.counters

    def _watch_staleness(self) -> None:
        """A thread of its own, so that a reader stuck in the network can't delay it."""
        stop, interval = self._stop, min(self.max_staleness / 10, 1.0)
        while not stop.wait(interval):
            self._held.expire(self.max_staleness)

    def _after_fork(self) -> None:
        """The child has the parent's answers but none of its threads: start its own."""
        started, self._started = self._started, False
        self._held.renew()
        self._fresh_threads()
        if started:
            self.start()


def _restart_after_fork() -> None:
    for router in list(_routers):
        router._after_fork()


@atexit.register
def _close_all() -> None:
    # Signed off, so that nobody waits for an acknowledgement of a process that has ended.
    for router in list(_routers):
        router.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_after_fork)

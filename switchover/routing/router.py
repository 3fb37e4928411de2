"""The router an application imports: one call per request, kept fresh in the background."""

from __future__ import annotations

import atexit
import os
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from xxhash import xxh3_64_intdigest

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.machine.flag import VISIBILITIES, Flag
from switchover.machine.targeting import NO_ATTRIBUTES, Attributes
from switchover.routing.bucket import Key
from switchover.routing.flags import Evaluation, FlagTable, visible
from switchover.routing.held import Change, HeldDocument
from switchover.routing.kept import KeptDocument
from switchover.routing.listeners import Listeners
from switchover.routing.reader import Reader
from switchover.routing.snapshot import Decision, Table, decide
from switchover.routing.undefined import Undefined

_routers: weakref.WeakSet[Router] = weakref.WeakSet()


class Router:
    """Decides, for each request, which system serves it, and evaluates feature flags.

    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. Until the
    first document is read, and after ``max_staleness`` seconds in which no valid document
    could be confirmed, everything goes to legacy. With ``disk``, a path, the last document is
    kept there, and a restart while Redis is away goes on with it for what is left of
    ``max_staleness``. A router survives a fork: the child gets one of its own.

        with Router("mood") as router:
            decision = router.route(patient_id)
    """

    _table: Table
    _flags: Mapping[str, FlagTable]

    def __init__(
        self,
        migration: str,
        redis_url: Any = None,
        max_staleness: float = 30.0,
        *,
        disk: str | Path | None = None,
    ) -> None:
        if max_staleness <= 0:
            raise InputError(f"max_staleness is {max_staleness}; give a number of seconds above 0")
        ready_client = redis_url is not None and not isinstance(redis_url, str)
        self._address: Any = redis_url if ready_client else redis_address(redis_url)
        self.migration, self.max_staleness = migration, max_staleness
        self._started = False
        self._kept = KeptDocument(disk) if disk is not None else None
        self._listeners = Listeners(f"switchover-listeners-{migration}")
        self._held = HeldDocument(migration, self._install)
        self._undefined = Undefined(migration, self._held.counters)
        self._fresh_threads()
        _routers.add(self)

    def _install(self, table: Table, flags: Mapping[str, FlagTable], change: Change | None) -> None:
        self._table, self._flags = table, flags
        if change is not None:
            self._news.set()
            self._listeners.tell(change)

    def _fresh_threads(self) -> None:
        """What can't be started twice and does not survive a fork, and with it a new name."""
        self._stop, self._news = threading.Event(), threading.Event()
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

    def flag(
        self, name: str, key: Key | None = "", attributes: Attributes = NO_ATTRIBUTES
    ) -> Evaluation:
        """What the feature flag ``name`` is for ``key``; true in a condition when it is on.

        Without a key, as for a visitor nobody knows, only what holds for everybody is on.
        ``attributes`` say more about the request, for flags with rules.

        Does no I/O and never raises: a flag that neither the document nor ``FF_<NAME>`` in the
        environment defines is off, counted and warned of once.
        """
        table = self._flags.get(name)
        if table is None:
            return self._undefined.evaluate(name, known=self._held.snapshot is not None)
        prefix, split, into, out, careful = table
        if prefix is None or not key:
            return careful("" if key is None else key, attributes)
        try:
            point = xxh3_64_intdigest(prefix + key.encode()) % 10_000  # type: ignore[union-attr]
        except (AttributeError, UnicodeEncodeError):
            return careful(key, attributes)
        return into if point < split else out

    #: The same evaluation, for flags with variants: ``router.variant("layout", user).value``.
    variant = flag

    def flags(
        self, viewer: str = "public", key: Key = "", attributes: Attributes = NO_ATTRIBUTES
    ) -> dict[str, Evaluation]:
        """Every flag that ``viewer`` may see, evaluated for ``key``.

        ``viewer`` is ``public``, ``authenticated`` or ``admin``; each sees what those before it
        see. ``internal`` flags are for the services and in nobody's list.
        """
        if viewer not in VISIBILITIES[:-1]:
            raise InputError(f"unknown viewer {viewer!r}; one of {', '.join(VISIBILITIES[:-1])}")
        seen = sorted(flag.name for flag in self._held.flags.values() if visible(flag, viewer))
        return {name: self.flag(name, key, attributes) for name in seen}

    def definition(self, name: str) -> Flag | None:
        """How the document defines the flag ``name``; ``None`` where it does not."""
        return self._held.flags.get(name)

    def on_change(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``callback`` after every change, in a thread of its own; gives what ends that."""
        return self._listeners.add(callback)

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
        self._reader.stop()
        self._stop.set()
        self._news.set()
        if self._watch.is_alive():
            # It keeps the last document on disk; a disk that hangs holds up no end.
            self._watch.join(timeout=1.0)
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
    def turned(self) -> int:
        """The epoch of the last change of who serves: a changed flag leaves it as it is."""
        snapshot = self._held.snapshot
        return snapshot.turned or snapshot.epoch if snapshot is not None else 0

    @property
    def agreement(self) -> Mapping[str, Any]:
        """How answers are compared, as the document says; empty before the first."""
        snapshot = self._held.snapshot
        return snapshot.agreement if snapshot is not None else {}

    @property
    def started(self) -> bool:
        """True between :meth:`start` and :meth:`close`."""
        return self._started

    @property
    def healthy(self) -> bool:
        """True while the document is confirmed by Redis within ``max_staleness``."""
        return self._started and self._held.ready.is_set() and not self._held.fallen_back

    @property
    def staleness(self) -> float | None:
        """Seconds since Redis confirmed the document; None before it did."""
        confirmed = self._held.confirmed()
        return None if confirmed is None else confirmed[1]

    @property
    def failure(self) -> Exception | None:
        """Why Redis can't be followed just now; None while it can."""
        return self._reader.failure

    @property
    def counters(self) -> Counter[str]:
        """What became of the documents seen: ``taken``, ``malformed``, ``older``, ``missing``;
        ``stale``, how often legacy took over; ``unknown_flag``, evaluations of flags that
        nobody defines."""
        return self._held.counters

    def _watch_staleness(self) -> None:
        """A thread of its own, so that a reader stuck in the network can't delay it."""
        stop, news, interval = self._stop, self._news, min(self.max_staleness / 10, 1.0)
        if self._kept is not None and (kept := self._kept.load()) is not None:
            self._held.remember(*kept, self.max_staleness)
        ended = False
        while not ended:
            # A new document is kept at once: a rollback must outlive a crash right after it.
            news.wait(interval)
            news.clear()
            ended = stop.is_set()  # the last one is kept too
            self._held.expire(self.max_staleness)
            if self._kept is not None and (confirmed := self._held.confirmed()) is not None:
                self._kept.save(*confirmed)

    def _after_fork(self) -> None:
        """The child has the parent's answers but none of its threads: start its own."""
        started, self._started = self._started, False
        self._listeners.renew()
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

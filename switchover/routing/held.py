"""The routing document a router holds: what is taken, what is refused, when it is too old."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from switchover.machine.snapshot import Snapshot
from switchover.routing.snapshot import Table, compile_snapshot, legacy_table

_log = logging.getLogger("switchover.router")


class HeldDocument:
    """The last good document of ``migration``; every change goes to ``install`` as a table.

    Only a valid document that is not older than the held one confirms it. ``fallen_back`` is
    the reason for which legacy serves all regardless of it, empty otherwise. ``since`` is
    when the held epoch was taken, in seconds since the Unix epoch.
    """

    def __init__(self, migration: str, install: Callable[[Table], None]) -> None:
        self.migration, self._install = migration, install
        self.counters: Counter[str] = Counter()
        self.snapshot: Snapshot | None = None
        self.since = time.time()
        self.fallen_back = ""
        self._text: str | None = None
        self._refused: str | None = None
        self.renew()

    def renew(self) -> None:
        """Begin waiting for Redis anew, after a fork or a restart: with a lock of its own."""
        self._lock = threading.Lock()
        self.ready = threading.Event()
        self._confirmed = time.monotonic()
        # A fork may have come between a decision and its installation.
        if self.fallen_back:
            self._install(legacy_table(self.fallen_back, self.epoch))
        else:
            self._install_held()

    @property
    def epoch(self) -> int:
        """The held epoch, 0 before the first document."""
        snapshot = self.snapshot
        return snapshot.epoch if snapshot is not None else 0

    def take(self, document: str | None) -> tuple[int, float]:
        """Judge what Redis holds (``None``: nothing); the epoch held afterwards, and since when."""
        with self._lock:
            if document is not None and document == self._text:
                self._confirm()
            elif document is not None:
                self._judge(document)
            elif self.snapshot is None:
                self._confirm()
            else:
                self._refuse("missing", "", "Redis no longer holds a routing document")
            self.ready.set()
            return self.epoch, self.since

    def expire(self, max_staleness: float) -> None:
        """Send everything to legacy if nothing was confirmed for ``max_staleness`` seconds."""
        with self._lock:
            silent = time.monotonic() - self._confirmed
            if silent > max_staleness and not self.fallen_back:
                self.counters["stale"] += 1
                self._fall_back("stale")
                _log.warning(
                    "%s: no valid routing document for %.1f s; everything goes to legacy",
                    self.migration,
                    silent,
                )

    def let_go(self) -> None:
        """Send everything to legacy, as nobody keeps the document fresh any more."""
        with self._lock:
            self._fall_back("stale")

    def _judge(self, document: str) -> None:
        try:
            snapshot = Snapshot.from_json(document)
            if snapshot.migration != self.migration:
                raise ValueError(f"it belongs to {snapshot.migration!r}")
            table = compile_snapshot(snapshot)
        except (ValueError, TypeError) as error:
            self._refuse("malformed", document, f"a malformed routing document: {error}")
            return
        if self.snapshot is not None and snapshot.epoch <= self.snapshot.epoch:
            what = f"a routing document of epoch {snapshot.epoch}, holding {self.snapshot.epoch}"
            self._refuse("older", document, what)
            if snapshot.mode == "emergency_rollback":
                # Too old to be taken, but an order to stop is obeyed in any case.
                self._fall_back("emergency_rollback")
            return
        self.snapshot, self._text, self.since = snapshot, document, time.time()
        self.fallen_back = ""
        self._install(table)
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
        if self.fallen_back:
            _log.warning("%s: the routing document is confirmed again", self.migration)
            self.fallen_back = ""
            self._install_held()

    def _install_held(self) -> None:
        held = self.snapshot
        self._install(legacy_table("cold_start", 0) if held is None else compile_snapshot(held))

    def _refuse(self, counter: str, document: str, what: str) -> None:
        """Keep the last good document, for ``max_staleness`` at most; say so once."""
        if self._refused != document:
            self._refused = document
            self.counters[counter] += 1
            _log.warning("%s: refused: %s", self.migration, what)

    def _fall_back(self, reason: str) -> None:
        if self.fallen_back != reason:
            self.fallen_back = reason
            self._install(legacy_table(reason, self.epoch))

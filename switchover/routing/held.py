"""The routing document a router holds: what is taken, what is refused, when it is too old."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from switchover.machine.flag import Flag, in_order, read_flags
from switchover.machine.snapshot import Snapshot
from switchover.routing.flags import FlagTable, compile_flags
from switchover.routing.snapshot import Table, compile_snapshot, legacy_table

_log = logging.getLogger("switchover.router")


class Change(NamedTuple):
    """What a router tells those who listen.

    ``kind`` is ``document`` (a new one was taken), ``stale`` (legacy took over) or ``back``
    (the document is confirmed again). ``flags`` names those whose evaluation may have changed.
    """

    kind: str
    epoch: int
    flags: tuple[str, ...]


#: Puts a routing table and the flags compiled under it in force, and tells what changed.
Install = Callable[[Table, Mapping[str, FlagTable], Change | None], None]


class HeldDocument:
    """The last good document of ``migration``; every change goes to ``install``, compiled.

    Only a valid document that is not older than the held one confirms it. ``fallen_back`` is
    the reason for which legacy serves all regardless of it, empty otherwise. ``since`` is
    when the held epoch was taken, in seconds since the Unix epoch.
    """

    def __init__(self, migration: str, install: Install) -> None:
        self.migration, self._install = migration, install
        self.counters: Counter[str] = Counter()
        self.snapshot: Snapshot | None = None
        self.flags: dict[str, Flag] = {}
        self.since = time.time()
        self.fallen_back = ""
        # The held document's, which waits while legacy serves all.
        self._table = legacy_table("cold_start", 0)
        self._compiled: dict[str, FlagTable] = {}
        # What the flags' buckets rest on, beside their definitions.
        self._hashed = ("", "string")
        self._text: str | None = None
        self._refused: str | None = None
        self.renew()

    def renew(self) -> None:
        """Begin waiting for Redis anew, after a fork or a restart: with a lock of its own."""
        self._lock = threading.Lock()
        self.ready = threading.Event()
        self._confirmed = time.monotonic()
        # A fork may have come between a decision and its installation.
        self._put_in_force(None)

    @property
    def epoch(self) -> int:
        """The held epoch, 0 before the first document."""
        snapshot = self.snapshot
        return snapshot.epoch if snapshot is not None else 0

    def remember(self, document: str, age: float, max_staleness: float) -> None:
        """Begin with a document that was confirmed ``age`` seconds ago by an earlier process.

        It is in force for what is left of ``max_staleness``, as if that process went on.
        """
        with self._lock:
            if self.snapshot is not None or self.ready.is_set():
                return
            self._judge(document)
            self._confirmed -= age
            if self._text is not None and age > max_staleness:
                self._fall_back("stale")

    def confirmed(self) -> tuple[str, float] | None:
        """The held document and the seconds since Redis confirmed it; ``None`` before."""
        with self._lock:
            if self._text is None or not self.ready.is_set():
                return None
            return self._text, time.monotonic() - self._confirmed

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
        except (ValueError, TypeError) as error:
            self._refuse("malformed", document, f"a malformed routing document: {error}")
            return
        try:
            flags = self._read_flags(snapshot)
            table = compile_snapshot(snapshot)
        except (ValueError, TypeError) as error:
            self._refuse("malformed", document, f"a malformed routing document: {error}")
            self._obey(snapshot)
            return
        if self.snapshot is not None and snapshot.epoch <= self.snapshot.epoch:
            what = f"a routing document of epoch {snapshot.epoch}, holding {self.snapshot.epoch}"
            self._refuse("older", document, what)
            self._obey(snapshot)
            return
        changed = self._changed(flags, snapshot)
        # The text comes last: until then a fork in between is mended by the next reading.
        self._table, self.flags, self.fallen_back = table, flags, ""
        self.snapshot, self.since, self._text = snapshot, time.time(), document
        self._put_in_force(Change("document", snapshot.epoch, changed))
        self.counters["taken"] += 1
        self._confirm()
        _log.info(
            "%s: epoch %d, mode %s, split %.2f %%",
            self.migration,
            snapshot.epoch,
            snapshot.mode,
            snapshot.split / 100,
        )

    def _read_flags(self, snapshot: Snapshot) -> dict[str, Flag]:
        """The flags of a document; those held where it has the same, as with most rollbacks."""
        if self.snapshot is not None and snapshot.flags == self.snapshot.flags:
            return self.flags
        return read_flags(snapshot.flags)

    def _obey(self, refused: Snapshot) -> None:
        """Too old, or with flags that can't be read: an order to stop is obeyed in any case."""
        if refused.mode == "emergency_rollback":
            self._fall_back("emergency_rollback")

    def _confirm(self) -> None:
        self._confirmed = time.monotonic()
        self._refused = None
        if self.fallen_back:
            _log.warning("%s: the routing document is confirmed again", self.migration)
            self.fallen_back = ""
            self._put_in_force(Change("back", self.epoch, self._following()))

    def _put_in_force(self, change: Change | None) -> None:
        held = self.snapshot
        table = self._table
        if self.fallen_back:
            table = legacy_table(self.fallen_back, self.epoch)
        hashed = ("", "string") if held is None else (held.salt, held.key)
        kept = {}
        if change is not None and hashed == self._hashed:
            touched = set(change.flags)
            kept = {name: flag for name, flag in self._compiled.items() if name not in touched}
        self._compiled, self._hashed = compile_flags(self.flags, hashed[0], table, kept), hashed
        self._install(table, self._compiled, change)

    def _changed(self, flags: Mapping[str, Flag], after: Snapshot) -> tuple[str, ...]:
        """Flags with another definition, and those that follow a split which has changed."""
        before = self.snapshot
        turned = before is None or _serving(before) != _serving(after) or self.fallen_back
        names = {
            name
            for name in {*self.flags, *flags}
            if self.flags.get(name) != flags.get(name)
            or (turned and name in flags and flags[name].follows_split)
        }
        return _with_dependents(names, flags)

    def _following(self) -> tuple[str, ...]:
        names = {name for name, flag in self.flags.items() if flag.follows_split}
        return _with_dependents(names, self.flags)

    def _refuse(self, counter: str, document: str, what: str) -> None:
        """Keep the last good document, for ``max_staleness`` at most; say so once."""
        if self._refused != document:
            self._refused = document
            self.counters[counter] += 1
            _log.warning("%s: refused: %s", self.migration, what)

    def _fall_back(self, reason: str) -> None:
        if self.fallen_back != reason:
            self.fallen_back = reason
            self._put_in_force(Change("stale", self.epoch, self._following()))


def _with_dependents(names: set[str], flags: Mapping[str, Flag]) -> tuple[str, ...]:
    """``names`` and every flag that requires one of them, however indirectly."""
    found = set(names)
    for flag in in_order(flags):
        if not found.isdisjoint(flag.requires):
            found.add(flag.name)
    return tuple(sorted(found))


def _serving(snapshot: Snapshot) -> tuple[str, int]:
    return snapshot.mode, snapshot.split

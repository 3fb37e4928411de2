"""Keep a proxy in step with the routing document in Redis, wherever the proxy runs.

A follower stands beside the proxy (its runtime socket or files need be nobody else's), knows
only Redis, and so takes an emergency rollback on with Prefect, SQL and Slack down.
"""

from __future__ import annotations

import logging
import threading
import time

from switchover.errors import DependencyUnavailable, InputError, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.ports import RoutingStore, TrafficSplit

_log = logging.getLogger("switchover.proxies")

#: The longest wait in seconds before a proxy is tried again that failed.
_LONGEST_WAIT = 5.0


class Follower:
    """Applies every new document of ``migration`` to ``split``, and the last one again every
    ``mend_every`` seconds, for a proxy that was reloaded.

    It looks into Redis every ``every`` seconds. While Redis is away the proxy stays as it is.
    ``epoch`` is what the proxy follows, 0 before the first; ``fault`` is what went wrong last,
    empty while all is well.
    """

    def __init__(
        self, store: RoutingStore, split: TrafficSplit, migration: str, *,
        every: float = 0.05, mend_every: float = 10.0,
    ) -> None:  # fmt: skip
        self._store, self._split, self._migration = store, split, migration
        self._every, self._mend_every = every, mend_every
        self._applied: Snapshot | None = None
        self._mended = 0.0
        self.epoch, self.fault = 0, ""

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        wait = self._every
        while not stop.is_set():
            wait = self._every if self.step() else min(_LONGEST_WAIT, wait * 2)
            stop.wait(wait)

    def step(self) -> bool:
        """Look once, and apply what is due; False when something failed."""
        try:
            snapshot = self._store.read(self._migration)
            if snapshot is not None and self._due(snapshot):
                self._apply(snapshot)
        except (DependencyUnavailable, InputError, Refused) as error:
            if str(error) != self.fault:  # once, and not at every look
                _log.error("%s: %s", self._migration, error)
            self.fault = str(error)
            return False
        if self.fault:
            _log.info("%s: %s is in step again", self._migration, self._split.name)
        self.fault = ""
        return True

    def _due(self, snapshot: Snapshot) -> bool:
        return snapshot != self._applied or time.monotonic() >= self._mended + self._mend_every

    def _apply(self, snapshot: Snapshot) -> None:
        try:
            self._split.apply(snapshot)
        except StaleEpoch:
            # A newer document is on its way to us too; if Redis lost its data instead, the
            # ledger will write one that is newer.
            current = self._store.read(self._migration)
            if current is None or current.epoch <= snapshot.epoch:
                raise
            return
        self._applied, self.epoch, self._mended = snapshot, snapshot.epoch, time.monotonic()

"""What a recorder has to ship: bounded, sent again under the same ids until it arrives."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from switchover.errors import SwitchoverError

_log = logging.getLogger("switchover.recorder")

#: Blocks per round trip.
_BATCH = 500


class Destination(Protocol):
    """Where blocks and mismatches go; the block stream in Redis, or a fake."""

    def append(self, migration: str, payloads: Iterable[str]) -> None: ...

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None: ...


class Outbox:
    """At most ``keep`` blocks wait; beyond that the oldest are dropped and counted in ``lost``.

    A block leaves the outbox only after Redis took it. Where that is uncertain it goes
    again, and the reader knows it by its id.
    """

    def __init__(self, migration: str, destination: Destination, keep: int) -> None:
        self._migration, self._destination, self._keep = migration, destination, keep
        self._blocks: deque[str] = deque()
        self._mismatches: deque[str] = deque(maxlen=1000)
        self._guard, self._sending = threading.Lock(), threading.Lock()
        self._failing = False
        self.lost = self.shipped = self.failures = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def put(self, blocks: Iterable[str], mismatches: Iterable[str]) -> None:
        """Queue blocks and samples for the next shipment."""
        with self._guard:
            self._blocks.extend(blocks)
            self._mismatches.extend(mismatches)
            while len(self._blocks) > self._keep:
                self._blocks.popleft()
                self.lost += 1

    def ship(self) -> bool:
        """Send everything; True when nothing is left, False when Redis could not be reached."""
        with self._sending:
            try:
                while batch := self._first(self._blocks):
                    self._destination.append(self._migration, batch)
                    self._done(self._blocks, batch)
                    self.shipped += len(batch)
                while batch := self._first(self._mismatches):
                    self._destination.append_mismatches(self._migration, batch)
                    self._done(self._mismatches, batch)
            except SwitchoverError as error:
                self.failures += 1
                if not self._failing:
                    _log.warning("%s: %s; %d blocks wait", self._migration, error, len(self))
                self._failing = True
                return False
            self._failing = False
            return True

    def _first(self, queue: deque[str]) -> list[str]:
        with self._guard:
            return [queue[i] for i in range(min(_BATCH, len(queue)))]

    def _done(self, queue: deque[str], sent: list[str]) -> None:
        """Take off what was sent, unless it was dropped as the oldest in the meantime."""
        with self._guard:
            for payload in sent:
                if queue and queue[0] is payload:
                    queue.popleft()

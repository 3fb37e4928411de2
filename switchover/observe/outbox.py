"""What a recorder has to ship: bounded, sent again under the same ids until it arrives."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, TypeVar

from switchover.errors import SwitchoverError
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat

_log = logging.getLogger("switchover.recorder")

#: Blocks per round trip.
_BATCH = 500

_Item = TypeVar("_Item")


class Destination(Protocol):
    """Where blocks, mismatches and heartbeats go; the block stream in Redis, or a fake."""

    def append(self, migration: str, payloads: Iterable[str]) -> None: ...

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None: ...

    def say(self, migration: str, heartbeat: Heartbeat) -> None: ...


class Outbox:
    """At most ``keep`` blocks wait; beyond that the oldest are dropped and counted in ``lost``.

    A block leaves the outbox only after Redis took it. Where that is uncertain it goes
    again, and the reader knows it by its id. Blocks go in order and carry how many observations
    went before, and every shipment ends with a heartbeat: whatever does not arrive is missed.
    """

    def __init__(self, migration: str, destination: Destination, keep: int, every: float) -> None:
        self._migration, self._destination, self._keep = migration, destination, keep
        self._every, self._process = every, f"{platform.node()}:{os.getpid()}"
        self._blocks: deque[tuple[str, int]] = deque()
        self._mismatches: deque[str] = deque(maxlen=1000)
        self._guard, self._sending = threading.Lock(), threading.Lock()
        self._failing = False
        self.lost = self.shipped = self.failures = 0
        self._sign_on()

    def _sign_on(self) -> None:
        """Begin anew under a name that nobody had."""
        self._recorder, self._since = uuid.uuid4().hex, time.time()
        #: Observations queued, those of them that left, and those of these that were dropped.
        self._queued = self._upto = self._dropped = 0
        self._known = False

    def __len__(self) -> int:
        return len(self._blocks)

    def put(self, blocks: Iterable[Block], mismatches: Iterable[str]) -> None:
        """Queue blocks, which get their ids here, and samples for the next shipment."""
        with self._guard:
            for block in blocks:
                self._queued += block.n
                named = replace(block, id=f"{self._recorder}:{self._queued}",
                                recorder=self._recorder, upto=self._queued)  # fmt: skip
                self._blocks.append((named.to_json(), block.n))
            self._mismatches.extend(mismatches)
            while len(self._blocks) > self._keep:
                _, n = self._blocks.popleft()
                self._upto += n
                self._dropped += n
                self.lost += 1

    def ship(self, *, last: bool = False) -> bool:
        """Send everything; True when nothing is left, False when Redis could not be reached.

        The ``last`` shipment signs off; what is put afterwards goes under another name.
        """
        with self._sending:
            try:
                while batch := self._first(self._blocks):
                    self._destination.append(self._migration, [payload for payload, _ in batch])
                    self._sent(batch)
                while samples := self._first(self._mismatches):
                    self._destination.append_mismatches(self._migration, samples)
                    with self._guard:
                        _taken_off(self._mismatches, samples)
                self._say(last)
            except SwitchoverError as error:
                self.failures += 1
                if not self._failing:
                    _log.warning("%s: %s; %d blocks wait", self._migration, error, len(self))
                self._failing = True
                return False
            self._failing = False
            return True

    def _say(self, last: bool) -> None:
        with self._guard:
            # Somebody may have recorded while the last blocks were on their way.
            ended = last and not self._blocks
            if ended and not self._known and not self._queued:
                return
            heartbeat = Heartbeat(self._recorder, self._upto, self._dropped, self._every,
                                  self._since, self._process, ended)  # fmt: skip
        self._destination.say(self._migration, heartbeat)
        with self._guard:
            self._known = True
            if ended and not self._blocks:
                self._sign_on()

    def _first(self, queue: deque[_Item]) -> list[_Item]:
        with self._guard:
            return [queue[i] for i in range(min(_BATCH, len(queue)))]

    def _sent(self, batch: list[tuple[str, int]]) -> None:
        with self._guard:
            self._upto += sum(n for _, n in _taken_off(self._blocks, batch))
        self.shipped += len(batch)


def _taken_off(queue: deque[_Item], sent: list[_Item]) -> list[_Item]:
    """What was sent comes off the queue, unless it was dropped as the oldest in the meantime."""
    return [queue.popleft() for item in sent if queue and queue[0] is item]

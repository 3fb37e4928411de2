"""In-memory stand-ins for the routing store and the block stream, with the same contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from switchover.errors import StaleEpoch
from switchover.judge.block import Block
from switchover.machine.propagation import Acknowledgement, Halt, Propagation
from switchover.machine.snapshot import Snapshot
from switchover.observe.stream import BEGINNING, entry_number, readable_block
from switchover.routing.store import SAFE_MODES, halt_refusal, halted_snapshot


class InMemoryRoutingStore:
    """A routing store in one process. :meth:`acknowledge` plays a router."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, Snapshot] = {}
        self._in_force: dict[str, Halt] = {}
        self._latest: dict[str, Halt] = {}
        self._routers: dict[str, dict[str, Acknowledgement]] = {}

    def write(self, snapshot: Snapshot) -> None:
        """Store ``snapshot`` if its epoch is newer and no foreign halt forbids it."""
        migration = snapshot.migration
        with self._lock:
            stored = self._documents.get(migration)
            if stored == snapshot:
                return
            if stored is not None and snapshot.epoch <= stored.epoch:
                raise StaleEpoch(migration, snapshot.epoch, stored.epoch)
            halt = self._in_force.get(migration)
            if halt and halt.id != snapshot.halt and snapshot.mode not in SAFE_MODES:
                raise halt_refusal(snapshot, stored.epoch if stored else 0, halt.id)
            self._documents[migration] = snapshot
            if halt and halt.id == snapshot.halt and snapshot.mode != "emergency_rollback":
                del self._in_force[migration]

    def read(self, migration: str) -> Snapshot | None:
        """The stored document."""
        return self._documents.get(migration)

    def halt(
        self, migration: str, *, halt_id: str, actor: str, reason: str, at: float, trigger: str = ""
    ) -> Halt:
        """Send everything to legacy now; give the halt that stands."""
        with self._lock:
            latest = self._latest.get(migration)
            if latest and (latest.id == halt_id or migration in self._in_force):
                return latest
            before = self._documents.get(migration) or Snapshot(migration, 0)
            acknowledged = (ack.epoch for ack in self._routers.get(migration, {}).values())
            epoch = max(before.epoch, *acknowledged, 0) + 1
            halt = Halt(halt_id, actor, reason, at, epoch, trigger)
            self._documents[migration] = halted_snapshot(before, halt_id, epoch)
            self._in_force[migration] = self._latest[migration] = halt
            return halt

    def halted(self, migration: str) -> Halt | None:
        """The halt in force."""
        return self._in_force.get(migration)

    def acknowledge(self, migration: str, router: str, epoch: int, at: float) -> None:
        """Say as ``router`` that it serves ``epoch`` since ``at``."""
        with self._lock:
            said = Acknowledgement(router, epoch, at)
            self._routers.setdefault(migration, {})[router] = said

    def acknowledgements(self, migration: str) -> tuple[Acknowledgement, ...]:
        """What every router that acknowledged serves; here none ever falls silent."""
        with self._lock:
            return tuple(self._routers.get(migration, {}).values())

    def wait_acknowledged(self, migration: str, epoch: int, timeout: float) -> Propagation:
        """Wait until every router serves ``epoch`` or newer, at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            propagation = Propagation.of(epoch, self.acknowledgements(migration))
            if propagation.complete or time.monotonic() >= deadline:
                return propagation
            time.sleep(0.001)


class InMemoryBlockStream:
    """A block stream in one process; also takes what a recorder ships."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, list[tuple[int, str]]] = {}
        self._given_out = 0
        self.mismatches: dict[str, list[str]] = {}

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        """Add blocks, as JSON."""
        with self._lock:
            for payload in payloads:
                self._given_out += 1
                self._entries.setdefault(migration, []).append((self._given_out, payload))

    def add(self, *blocks: Block) -> None:
        """Add blocks of any migration."""
        for block in blocks:
            self.append(block.migration, [block.to_json()])

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None:
        """Add samples of disagreement, as JSON."""
        with self._lock:
            self.mismatches.setdefault(migration, []).extend(payloads)

    def read(self, migration: str, after: str, limit: int) -> tuple[list[Block], str, int]:
        """Up to ``limit`` entries after the cursor: blocks, new cursor, malformed entries."""
        with self._lock:
            if migration not in self._entries:
                return [], BEGINNING, 0
            begin = entry_number(after)
            if begin > (self._given_out, 0):
                begin = (0, 0)
            entries = [entry for entry in self._entries[migration] if (entry[0], 0) > begin]
        entries = entries[:limit]
        read = [readable_block(payload, migration) for _, payload in entries]
        blocks = [block for block in read if block is not None]
        last = entries[-1][0] if entries else begin[0]
        return blocks, f"{last}-0", len(read) - len(blocks)

    def trim(self, migration: str, upto: str) -> None:
        """Forget every entry up to and including the cursor ``upto``."""
        end = entry_number(upto)
        with self._lock:
            kept = [entry for entry in self._entries.get(migration, []) if (entry[0], 0) > end]
            if migration in self._entries:
                self._entries[migration] = kept

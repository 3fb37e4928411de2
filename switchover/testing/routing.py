"""In-memory stand-ins for the routing store and the block stream, with the same contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from switchover.errors import PointOfNoReturn, StaleEpoch
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.judge.sample import Sample
from switchover.machine.inbox import Inbox
from switchover.machine.propagation import Acknowledgement, Halt, Propagation, Routed
from switchover.machine.snapshot import Snapshot
from switchover.observe.stream import BEGINNING, entry_number, readable_block, readable_sample
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
        self,
        migration: str,
        *,
        halt_id: str,
        actor: str,
        reason: str,
        at: float,
        trigger: str = "",
        insist: bool = False,
    ) -> Halt:
        """Send everything to legacy now; give the halt that stands."""
        with self._lock:
            latest = self._latest.get(migration)
            if latest and (latest.id == halt_id or migration in self._in_force):
                return latest
            before = self._documents.get(migration) or Snapshot(migration, 0)
            if before.no_return and not insist:
                raise PointOfNoReturn(migration)
            acknowledged = (ack.epoch for ack in self._routers.get(migration, {}).values())
            epoch = max(before.epoch, *acknowledged, 0) + 1
            halt = Halt(halt_id, actor, reason, at, epoch, trigger)
            self._documents[migration] = halted_snapshot(before, halt_id, epoch)
            self._in_force[migration] = self._latest[migration] = halt
            return halt

    def halted(self, migration: str) -> Halt | None:
        """The halt in force."""
        return self._in_force.get(migration)

    def routed(self, migrations: Sequence[str]) -> dict[str, Routed]:
        """Document and halt of many."""
        return {each: Routed(self.read(each), self.halted(each)) for each in migrations}

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
        self._came: dict[int, float] = {}
        self._heartbeats: dict[str, dict[str, tuple[float, Heartbeat]]] = {}
        self._given_out = 0
        self.mismatches: dict[str, list[str]] = {}
        self._trimmed: dict[str, int] = {}

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        """Add blocks, as JSON."""
        with self._lock:
            for payload in payloads:
                self._given_out += 1
                self._entries.setdefault(migration, []).append((self._given_out, payload))
                self._came[self._given_out] = time.monotonic()

    def say(self, migration: str, heartbeat: Heartbeat) -> None:
        """Leave a recorder's heartbeat in place of its last one."""
        with self._lock:
            told = self._heartbeats.setdefault(migration, {})
            told[heartbeat.recorder] = (time.monotonic(), heartbeat)

    def heartbeats(self, migration: str) -> list[Heartbeat]:
        """The last word of every recorder; ``silent`` grows from what it was said with."""
        with self._lock:
            return [
                replace(heartbeat, silent=heartbeat.silent + time.monotonic() - at)
                for at, heartbeat in self._heartbeats.get(migration, {}).values()
            ]

    def inboxes(self, migrations: Sequence[str]) -> dict[str, Inbox]:
        """What waits of many."""
        return {
            each: Inbox(
                len(self._entries.get(each, ())),
                len(self.mismatches.get(each, ())),
                tuple(self.heartbeats(each)),
            )
            for each in migrations
        }

    def forget(self, migration: str, heartbeats: Iterable[Heartbeat]) -> None:
        """Drop these heartbeats, unless their recorders have said something else since."""
        with self._lock:
            told = self._heartbeats.get(migration, {})
            for heartbeat in heartbeats:
                _, last = told.get(heartbeat.recorder, (0.0, None))
                if last is not None and last.to_json() == heartbeat.to_json():
                    del told[heartbeat.recorder]

    def add(self, *blocks: Block) -> None:
        """Add blocks of any migration."""
        for block in blocks:
            self.append(block.migration, [block.to_json()])

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None:
        """Add samples of disagreement, as JSON."""
        with self._lock:
            self.mismatches.setdefault(migration, []).extend(payloads)

    def read_mismatches(self, migration: str) -> tuple[list[Sample], str]:
        """All samples that were not trimmed yet, and the cursor after them."""
        with self._lock:
            trimmed = self._trimmed.get(migration, 0)
            payloads = list(self.mismatches.get(migration, []))
        found = map(readable_sample, payloads)
        samples = [sample for sample in found if sample is not None]
        return samples, f"{trimmed + len(payloads)}-0" if payloads else ""

    def trim_mismatches(self, migration: str, upto: str) -> None:
        """Forget every sample up to and including the cursor ``upto``."""
        with self._lock:
            gone = max(0, entry_number(upto)[0] - self._trimmed.get(migration, 0))
            del self.mismatches.get(migration, [])[:gone]
            self._trimmed[migration] = self._trimmed.get(migration, 0) + gone

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

    def discard(self, migration: str, age: float) -> None:
        """Forget every entry that came more than ``age`` seconds ago, collected or not."""
        oldest = time.monotonic() - age
        with self._lock:
            entries = self._entries.get(migration, [])
            if entries:
                self._entries[migration] = [e for e in entries if self._came[e[0]] >= oldest]

"""Read ahead: what looks at many migrations need, read at once instead of one by one.

A sweep over a thousand migrations would make ten thousand round trips, nearly all of them to
learn that nothing is new. The context made here answers from one reading of a batch, and asks the
ports for everything else. A write forgets what was read of its migration, so that whoever lost a
race reads anew; what counts is decided by the compare-and-set of the write in any case.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from switchover.engine.context import Case, Context
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.judge.sample import Sample
from switchover.machine.snapshot import Snapshot
from switchover.machine.state import State
from switchover.ports import (
    BlockStream,
    Fold,
    Freeze,
    Halt,
    Inbox,
    Ingested,
    Ledger,
    Record,
    Routed,
    RoutingStore,
    Standing,
)

#: Seconds after which what was read ahead is too old to judge by.
FRESH = 2.0


@dataclass(frozen=True)
class Ahead(Context):
    """A context that knows a batch of migrations already."""

    read_at: float = 0.0
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def fresh(self) -> bool:
        """Whether it is young enough to judge by."""
        return time.monotonic() - self.read_at < FRESH

    def open(self, migration: str) -> Case:
        """As :meth:`Context.open`; a plan is compiled once per batch."""
        record, known = self.ledger.read(migration), self.cases.get(migration)
        if known is None or known.record is not record:
            known = self.cases[migration] = Case(self, record)
        return known


def read_ahead(context: Context, migrations: Sequence[str]) -> Ahead:
    """Read a batch in three round trips.

    In this order: a halt that is on record by now is known to the ledger's reading, and what a
    recorder said is newer than the evidence that it is held against.
    """
    began = time.monotonic()
    routed = context.routing.routed(migrations)
    standings = context.ledger.standings(migrations)
    inboxes = context.stream.inboxes(migrations)
    ports = {name: getattr(context, name) for name in context.__dataclass_fields__}
    # The rest of each port is passed through, which a type checker can't follow.
    ports["ledger"] = cast(Ledger, _Ledger(context.ledger, standings))
    ports["routing"] = cast(RoutingStore, _Routing(context.routing, routed))
    ports["stream"] = cast(BlockStream, _Stream(context.stream, inboxes))
    return Ahead(**ports, read_at=began)


class _Ledger:
    def __init__(self, real: Ledger, known: dict[str, Standing]) -> None:
        self._real, self._known = real, known
        self._stops: list[Freeze] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def freezes(self, *, lifted: bool = False) -> list[Freeze]:
        # A look takes no step forward, so that a stop of this moment can wait for the next batch.
        if lifted:
            return self._real.freezes(lifted=True)
        if self._stops is None:
            self._stops = self._real.freezes()
        return self._stops

    def migrations(self) -> list[State]:
        return [self._known[name].record.state for name in sorted(self._known)]

    def read(self, migration: str) -> Record:
        known = self._known.get(migration)
        return known.record if known else self._real.read(migration)

    def cursor(self, migration: str) -> str:
        known = self._known.get(migration)
        return known.cursor if known else self._real.cursor(migration)

    def evidence(self, migration: str) -> dict[str, Any] | None:
        known = self._known.get(migration)
        return known.evidence if known else self._real.evidence(migration)

    def append(self, migration: str, *given: Any, **named: Any) -> Record:
        known = self._known.pop(migration, None)
        record = self._real.append(migration, *given, **named)
        if known is not None:
            self._known[migration] = replace(known, record=record)
        return record

    def ingest(
        self, migration: str, blocks: Sequence[Block], cursor: str, fold: Fold, **named: Any
    ) -> Ingested:
        known = self._known.pop(migration, None)
        ingested = self._real.ingest(migration, blocks, cursor, fold, **named)
        if known is not None:
            self._known[migration] = replace(known, cursor=cursor, evidence=ingested.evidence)
        return ingested


class _Routing:
    def __init__(self, real: RoutingStore, known: dict[str, Routed]) -> None:
        self._real, self._known = real, known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read(self, migration: str) -> Snapshot | None:
        known = self._known.get(migration)
        return known.snapshot if known else self._real.read(migration)

    def halted(self, migration: str) -> Halt | None:
        known = self._known.get(migration)
        return known.halt if known else self._real.halted(migration)

    def write(self, snapshot: Snapshot) -> None:
        self._known.pop(snapshot.migration, None)
        self._real.write(snapshot)


class _Stream:
    def __init__(self, real: BlockStream, known: dict[str, Inbox]) -> None:
        self._real, self._known = real, known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read(self, migration: str, after: str, limit: int) -> tuple[list[Block], str, int]:
        known = self._known.get(migration)
        if known is not None and not known.blocks and after:
            return [], after, 0
        return self._real.read(migration, after, limit)

    def read_mismatches(self, migration: str) -> tuple[list[Sample], str]:
        known = self._known.get(migration)
        if known is not None and not known.mismatches:
            return [], ""
        return self._real.read_mismatches(migration)

    def heartbeats(self, migration: str) -> list[Heartbeat]:
        known = self._known.get(migration)
        return list(known.heartbeats) if known else self._real.heartbeats(migration)

    def discard(self, migration: str, age: float) -> None:
        known = self._known.get(migration)
        if known is None or known.blocks:
            self._real.discard(migration, age)

    def forget(self, migration: str, heartbeats: Sequence[Heartbeat]) -> None:
        if heartbeats:
            self._real.forget(migration, heartbeats)

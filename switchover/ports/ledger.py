"""The ledger, and what it stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from switchover.judge.block import Block, Tally
from switchover.judge.sample import Sample
from switchover.machine.event import Event
from switchover.machine.state import State
from switchover.ports.freezes import Freeze


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One version of a plan in the ledger. ``digest`` is the SHA-256 of ``document``'s canonical
    JSON; ``directory`` is where its relative files are found."""

    version: int
    digest: str
    document: dict[str, Any]
    directory: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A side effect outside SQL and Redis, to be done once. ``key`` is unique for ever.

    ``attempts`` counts its claims, this one included; 0 before the first. Before ``not_before``
    it is not claimed.
    """

    key: str
    kind: str
    payload: dict[str, Any]
    attempts: int = field(default=0, compare=False)
    not_before: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger: the event that made ``revision`` of ``migration``.

    ``digest`` covers every other field and ``previous``, the digest of the entry before.
    """

    migration: str
    revision: int
    at: datetime
    actor: str
    kind: str
    payload: dict[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """A migration as the ledger holds it now."""

    state: State
    plan: StoredPlan


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a collection brought: new blocks, known ones, and the evidence afterwards."""

    fresh: int
    duplicates: int
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration with what was collected of it, all of one moment; ``evidence`` is None before
    the first collection."""

    record: Record
    cursor: str
    evidence: dict[str, Any] | None


#: (stored evidence or None, fresh blocks) -> the evidence to store.
Fold = Callable[[dict[str, Any] | None, Sequence[Block]], dict[str, Any]]

#: (the evidence to store, a fresh block) -> attempt and stage that it adds to, None for neither.
Part = Callable[[dict[str, Any], Block], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class StageTally:
    """All that one system did in one metric during one stage of an attempt."""

    attempt: int
    stage: int
    metric: str
    system: str
    tally: Tally


#: Sampled disagreements that a ledger keeps of each attempt of a migration.
SAMPLES_KEPT = 1000


class Ledger(Protocol):
    """The append-only, hash-chained record; the single source of truth.

    Every method raises :class:`~switchover.errors.DependencyUnavailable` when the database
    can't be reached, and ``InputError`` for an unknown migration.
    """

    def create(
        self,
        plan: StoredPlan,
        state: State,
        event: Event,
        *,
        at: datetime,
        actor: str,
        effects: Sequence[Effect] = (),
    ) -> Record:
        """Write revision 1; raises ``LostRace`` if the migration exists."""

    def append(
        self,
        migration: str,
        expected: int,
        event: Event,
        *,
        at: datetime,
        actor: str,
        effects: Sequence[Effect] = (),
        plan: StoredPlan | None = None,
    ) -> Record:
        """Apply ``event`` and write revision ``expected + 1`` together with its outbox rows;
        raises ``LostRace`` unless the stored revision is ``expected``, ``IllegalTransition``
        when the machine refuses. ``plan`` stores a new plan version with it."""

    def read(self, migration: str) -> Record: ...

    def migrations(self) -> list[State]:
        """Every migration's state, by name."""

    def standings(self, migrations: Sequence[str]) -> dict[str, Standing]:
        """``read``, ``cursor`` and ``evidence`` of many in one look; unknown ones are left out."""

    def entries(self, migration: str, after: int = 0, limit: int | None = None) -> list[Entry]: ...

    def plans(self, migration: str) -> list[StoredPlan]: ...

    def cursor(self, migration: str) -> str:
        """Where collecting the block stream stopped; empty at the beginning."""

    def ingest(
        self,
        migration: str,
        blocks: Sequence[Block],
        cursor: str,
        fold: Fold,
        *,
        always: bool = False,
        part: Part | None = None,
    ) -> Ingested:
        """Store the blocks that are new, fold them into the evidence and move the cursor, all in
        one transaction; concurrent calls are serialised. ``always`` folds without new ones too.
        With ``part`` each new block is added to its stage's tally, too."""

    def evidence(self, migration: str) -> dict[str, Any] | None: ...

    def tallies(self, migration: str, attempt: int) -> list[StageTally]:
        """What each system did in each stage of an attempt, by stage, metric and system."""

    def blocks(self, migration: str, since: float, until: float) -> Iterator[Block]:
        """The stored blocks that begin in ``[since, until)``, in order of time."""

    def rates(
        self, migration: str, metric: str, *, since: float = 0.0, bins: int = 60
    ) -> list[dict[str, Any]]:
        """Counts over time: ``{at, system, n, bad}`` in at most ``bins`` equal intervals."""

    def keep_samples(self, migration: str, attempt: int, new: Sequence[Sample]) -> int:
        """Store those disagreements that are not there yet, and of each attempt the newest
        :data:`SAMPLES_KEPT` only; gives how many were added."""

    def samples(self, migration: str, attempt: int) -> list[Sample]:
        """The stored disagreements of an attempt, newest first."""

    def freeze(self, stop: Freeze) -> Freeze:
        """Stop a scope; gives the stop that holds. One for the same reason until the same time
        stays as it is, another one of the scope is lifted in its favour."""

    def unfreeze(self, scope: str, *, at: datetime, actor: str) -> Freeze | None:
        """Lift the stop of a scope; gives the scope's last one, also if it was lifted before,
        and None where there never was any."""

    def freezes(self, *, lifted: bool = False) -> list[Freeze]:
        """The stops that nobody lifted, those that are over by their ``until`` included, oldest
        first; with ``lifted`` all that ever were."""

    def claim_effects(self, *, now: datetime, lease: float, limit: int = 20) -> list[Effect]:
        """Lease effects that are neither done nor leased: what was never tried before what failed,
        and oldest first. A lease lasts ``lease`` seconds, so that a crashed owner's effects come
        back."""

    def finish_effect(self, key: str, result: dict[str, Any]) -> None: ...

    def fail_effect(self, key: str, error: str, *, retry_at: datetime) -> None: ...

    def effects(self, migration: str) -> list[dict[str, Any]]:
        """``{key, kind, status, attempts, result, error}`` of a migration's effects."""

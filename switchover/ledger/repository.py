"""The ledger in SQL: one transaction per call, compare-and-set on the revision."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from switchover.canonical import canonical
from switchover.errors import LostRace, UnknownMigration
from switchover.judge.block import Block
from switchover.judge.sample import Sample
from switchover.ledger import freezes, observations, outbox, samples, tables, tallies
from switchover.ledger.archive import copies
from switchover.ledger.chain import Chain, Link
from switchover.ledger.copy import Copy
from switchover.ledger.database import is_postgres, open_engine, reading, writing
from switchover.ledger.schema import check_schema
from switchover.ledger.step import Step, entry_of, first, following
from switchover.machine.event import Event
from switchover.machine.state import State
from switchover.ports import (
    Effect,
    Entry,
    Fold,
    Freeze,
    Ingested,
    Part,
    Record,
    StageTally,
    Standing,
    StoredPlan,
)


class SqlLedger:
    """The ledger on SQLite or PostgreSQL (see :class:`switchover.ports.Ledger`).

    ``address`` is a SQLAlchemy URL or engine; it is not looked at before the first call, which
    also refuses a schema of another version (see :func:`switchover.ledger.upgrade`): a
    rollback goes to routing first, and must not fail here for a misspelt address.
    ``key`` makes the chain an HMAC. Threads may share it; a forked process needs its own.
    """

    def __init__(self, address: str | URL | Engine, key: bytes | None = None) -> None:
        self.chain = Chain(key)
        self._address = address
        self._checked = False
        self._checking = threading.Lock()

    @cached_property
    def engine(self) -> Engine:
        """The SQLAlchemy engine; raises ``InputError`` for an address it can't use."""
        return open_engine(self._address)

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
        step = first(self.chain, plan, state, event, at, actor)
        slug = state.migration
        with self._writing() as connection:
            dialect = postgresql if is_postgres(connection) else sqlite
            new = connection.execute(
                dialect.insert(tables.migrations)
                .values(slug=slug, **_head(step, plan.version))
                .on_conflict_do_nothing(index_elements=["slug"])
                .returning(tables.migrations.c.slug)
            ).one_or_none()
            if new is None:
                raise LostRace(slug, 0)
            connection.execute(insert(tables.evidence).values(migration=slug, cursor="", version=0))
            _write(connection, step, plan, at, effects)
        return Record(step.state, _normal(plan))

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
        """Write revision ``expected + 1``; see :class:`switchover.ports.Ledger`."""
        with self._writing() as connection:
            row = _migration(connection, migration)
            if row.revision != expected:
                raise LostRace(migration, expected)
            state = State.from_dict(json.loads(row.state))
            newest = _plan(connection, migration, row.plan_version)
            step = following(self.chain, state, row.head, newest, event, at, actor, plan)
            # On PostgreSQL another writer may have been faster since the read above: the
            # condition is looked at again under the row's lock.
            won = connection.execute(
                update(tables.migrations)
                .where(
                    tables.migrations.c.slug == migration,
                    tables.migrations.c.revision == expected,
                )
                .values(**_head(step, (plan or newest).version))
            )
            if won.rowcount != 1:
                raise LostRace(migration, expected)
            _write(connection, step, plan, at, effects)
        return Record(step.state, _normal(plan) if plan else newest)

    def read(self, migration: str) -> Record:
        """State and newest plan."""
        with self._reading() as connection:
            row = _migration(connection, migration)
            plan = _plan(connection, migration, row.plan_version)
        return Record(State.from_dict(json.loads(row.state)), plan)

    def migrations(self) -> list[State]:
        """Every migration's state, by name."""
        with self._reading() as connection:
            texts = connection.execute(select(tables.migrations.c.slug, tables.migrations.c.state))
            states = [(slug, State.from_dict(json.loads(text))) for slug, text in texts]
        return [state for _, state in sorted(states, key=lambda pair: pair[0])]

    def standings(self, migrations: Sequence[str]) -> dict[str, Standing]:
        """State, newest plan, cursor and evidence of many, of one moment."""
        heads, plans, kept = tables.migrations, tables.plans, tables.evidence
        query = (
            select(heads.c.slug, heads.c.state, plans, kept.c.cursor, kept.c.document.label("kept"))
            .join(plans, (plans.c.migration == heads.c.slug)
                  & (plans.c.version == heads.c.plan_version))
            .join(kept, kept.c.migration == heads.c.slug)
            .where(heads.c.slug.in_(migrations))
        )  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {
            row.slug: Standing(
                Record(State.from_dict(json.loads(row.state)), _stored(row)),
                row.cursor,
                None if row.kept is None else json.loads(row.kept),
            )
            for row in rows
        }

    def entries(self, migration: str, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Entries with a revision above ``after``, in order."""
        query = (
            select(tables.entries)
            .where(tables.entries.c.migration == migration, tables.entries.c.revision > after)
            .order_by(tables.entries.c.revision)
            .limit(limit)
        )
        with self._reading() as connection:
            _migration(connection, migration)
            rows = connection.execute(query).all()
        return [entry_of(Link(**row._mapping)) for row in rows]

    def plans(self, migration: str) -> list[StoredPlan]:
        """Every version of the plan, oldest first."""
        table = tables.plans
        query = select(table).where(table.c.migration == migration).order_by(table.c.version)
        with self._reading() as connection:
            _migration(connection, migration)
            return [_stored(row) for row in connection.execute(query)]

    def cursor(self, migration: str) -> str:
        """Where collecting stopped; empty at the beginning."""
        with self._reading() as connection:
            return observations.cursor(connection, migration)

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
        """Store and fold what is new; see :func:`switchover.ledger.observations.ingest`."""
        with self._writing() as connection:
            return observations.ingest(connection, migration, blocks, cursor, fold, always, part)

    def evidence(self, migration: str) -> dict[str, Any] | None:
        """The stored evidence; None before the first look."""
        with self._reading() as connection:
            return observations.current(connection, migration)

    def tallies(self, migration: str, attempt: int) -> list[StageTally]:
        """The sums of an attempt by stage, metric and system."""
        with self._reading() as connection:
            _migration(connection, migration)
            return tallies.of_attempt(connection, migration, attempt)

    def blocks(self, migration: str, since: float, until: float) -> Iterator[Block]:
        """Stored blocks in order of time, read in parts."""
        with self._reading() as connection:
            yield from observations.between(connection, migration, since, until)

    def rates(
        self, migration: str, metric: str, *, since: float = 0.0, bins: int = 60
    ) -> list[dict[str, Any]]:
        """Counts over time: ``{at, system, n, bad}``."""
        with self._reading() as connection:
            return observations.rates(connection, migration, metric, since, bins)

    def keep_samples(self, migration: str, attempt: int, new: Sequence[Sample]) -> int:
        """Store what is new; see :class:`switchover.ports.Ledger`."""
        with self._writing() as connection:
            _migration(connection, migration)
            return samples.keep(connection, migration, attempt, new)

    def samples(self, migration: str, attempt: int) -> list[Sample]:
        """The stored disagreements of an attempt, newest first."""
        with self._reading() as connection:
            _migration(connection, migration)
            return samples.of_attempt(connection, migration, attempt)

    def freeze(self, stop: Freeze) -> Freeze:
        """Stop a scope; see :class:`switchover.ports.Ledger`."""
        with self._writing() as connection:
            return freezes.add(connection, stop)

    def unfreeze(self, scope: str, *, at: datetime, actor: str) -> Freeze | None:
        """Lift the stop of a scope."""
        with self._writing() as connection:
            return freezes.lift(connection, scope, at, actor)

    def freezes(self, *, lifted: bool = False) -> list[Freeze]:
        """The stops that nobody lifted, or all."""
        with self._reading() as connection:
            return freezes.listing(connection, lifted)

    def claim_effects(self, *, now: datetime, lease: float, limit: int = 20) -> list[Effect]:
        """Lease what is due, oldest first."""
        with self._writing() as connection:
            return outbox.claim(connection, now, lease, limit)

    def finish_effect(self, key: str, result: dict[str, Any]) -> None:
        """Mark as done; the first result stays."""
        with self._writing() as connection:
            outbox.finish(connection, key, result)

    def fail_effect(self, key: str, error: str, *, retry_at: datetime) -> None:
        """Give the effect back, to be claimed again from ``retry_at``."""
        with self._writing() as connection:
            outbox.fail(connection, key, error, retry_at)

    def effects(self, migration: str) -> list[dict[str, Any]]:
        """``{key, kind, status, attempts, result, error}`` of a migration's effects."""
        with self._reading() as connection:
            _migration(connection, migration)
            return outbox.listing(connection, migration)

    def copies(self, migration: str | None = None) -> Iterator[Copy]:
        """What is stored, for :func:`switchover.ledger.verify`."""
        self._check()
        return copies(self.engine, migration)

    def close(self) -> None:
        """Close the pooled connections; the next call opens new ones."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._check()
        with reading(self.engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._check()
        with writing(self.engine) as connection:
            yield connection

    def _check(self) -> None:
        if not self._checked:
            with self._checking:
                if not self._checked:
                    check_schema(self.engine)
                    self._checked = True


def _head(step: Step, plan_version: int) -> dict[str, Any]:
    return {
        "revision": step.link.revision,
        "state": canonical(step.state.to_dict()),
        "head": step.link.digest,
        "seal": step.seal,
        "plan_version": plan_version,
        "updated_at": step.link.at,
    }


def _write(
    connection: Connection,
    step: Step,
    plan: StoredPlan | None,
    at: datetime,
    effects: Sequence[Effect],
) -> None:
    link = step.link
    columns = {column.name: getattr(link, column.name) for column in tables.entries.columns}
    connection.execute(insert(tables.entries).values(**columns))
    if plan is not None:
        connection.execute(
            insert(tables.plans).values(
                migration=link.migration,
                version=plan.version,
                digest=plan.digest,
                document=canonical(plan.document),
                directory=plan.directory,
            )
        )
    outbox.queue(connection, link.migration, link.revision, at, effects)


def _migration(connection: Connection, slug: str) -> Row[Any]:
    table = tables.migrations
    row = connection.execute(select(table).where(table.c.slug == slug)).one_or_none()
    if row is None:
        raise UnknownMigration(slug)
    return row


def _plan(connection: Connection, migration: str, version: int) -> StoredPlan:
    table = tables.plans
    wanted = (table.c.migration == migration, table.c.version == version)
    return _stored(connection.execute(select(table).where(*wanted)).one())


def _stored(row: Row[Any]) -> StoredPlan:
    return StoredPlan(row.version, row.digest, json.loads(row.document), row.directory)


def _normal(plan: StoredPlan) -> StoredPlan:
    """The plan as a later reader gets it: its document is plain JSON."""
    document = json.loads(canonical(plan.document))
    return StoredPlan(plan.version, plan.digest, document, plan.directory)

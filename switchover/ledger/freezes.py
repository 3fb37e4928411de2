"""Stops that people set: one open row for each scope; the lifted ones stay as the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from switchover.ledger.chain import stamp
from switchover.ledger.database import is_postgres
from switchover.ledger.tables import freezes as table
from switchover.ports import Freeze


def add(connection: Connection, stop: Freeze) -> Freeze:
    """Store ``stop`` unless the same one is on; gives the one that is on then."""
    opened = select(table).where(table.c.scope == stop.scope, table.c.lifted_at.is_(None))
    row = connection.execute(opened.with_for_update()).one_or_none()
    if row is not None:
        known = _read(row)
        if (known.reason, known.until) == (stop.reason, stop.until):
            return known
        _lift(connection, row.id, stop.at, stop.actor)
    dialect = postgresql if is_postgres(connection) else sqlite
    new = connection.execute(
        dialect.insert(table)
        .values(
            scope=stop.scope,
            reason=stop.reason,
            actor=stop.actor,
            at=stamp(stop.at),
            until=None if stop.until is None else stamp(stop.until),
            lifted_by="",
        )
        .on_conflict_do_nothing(index_elements=["scope"], index_where=table.c.lifted_at.is_(None))
        .returning(table)
    ).one_or_none()
    # On PostgreSQL somebody else may have set one since the read above: theirs holds. Where it was
    # lifted before it could be read, too, nothing is in the way any more.
    found = new if new is not None else connection.execute(opened).one_or_none()
    return add(connection, stop) if found is None else _read(found)


def lift(connection: Connection, scope: str, at: datetime, actor: str) -> Freeze | None:
    """Lift what is on; gives the last stop of the scope as it is then, None without any."""
    newest = select(table).where(table.c.scope == scope).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(newest.with_for_update()).one_or_none()
    if row is None:
        return None
    known = _read(row)
    if known.lifted_at is not None:
        return known
    _lift(connection, row.id, at, actor)
    return replace(known, lifted_at=at, lifted_by=actor)


def listing(connection: Connection, lifted: bool) -> list[Freeze]:
    """Those that nobody lifted, or all; oldest first."""
    query = select(table).order_by(table.c.id)
    if not lifted:
        query = query.where(table.c.lifted_at.is_(None))
    return [_read(row) for row in connection.execute(query)]


def _lift(connection: Connection, row: int, at: datetime, actor: str) -> None:
    connection.execute(
        update(table).where(table.c.id == row).values(lifted_at=stamp(at), lifted_by=actor)
    )


def _read(row: Row[Any]) -> Freeze:
    def moment(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    known = row._mapping
    return Freeze(
        scope=known["scope"],
        reason=known["reason"],
        actor=known["actor"],
        at=datetime.fromisoformat(known["at"]),
        until=moment(known["until"]),
        lifted_at=moment(known["lifted_at"]),
        lifted_by=known["lifted_by"],
    )

"""What the database holds, migration by migration, for an audit or an export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Select, select, union

from switchover.ledger import tables
from switchover.ledger.copy import Copy
from switchover.ledger.database import reading


def copies(engine: Engine, migration: str | None = None) -> Iterator[Copy]:
    """Copies in the order of their names, each read in one transaction of its own.

    A migration counts as present when any table knows it: who removes its row and its
    entries leaves other traces.
    """
    with reading(engine) as connection:
        slugs = _slugs(connection)
    for slug in sorted(slugs):
        if migration is None or slug == migration:
            with reading(engine) as connection:
                copy = _copy(connection, slug)
            yield copy


def _slugs(connection: Connection) -> list[str]:
    known = union(
        select(tables.migrations.c.slug),
        *(
            select(table.c.migration)
            for table in (tables.entries, tables.plans, tables.evidence, tables.effects)
        ),
    )
    return [str(slug) for slug in connection.execute(known).scalars()]


def _copy(connection: Connection, slug: str) -> Copy:
    entries, plans = tables.entries, tables.plans
    copy = Copy(slug)
    for row in _rows(connection, select(tables.migrations).where(tables.migrations.c.slug == slug)):
        copy.add_head(row)
    links = select(entries).where(entries.c.migration == slug).order_by(entries.c.revision)
    copy.add_links(_rows(connection, links))
    versions = select(plans).where(plans.c.migration == slug).order_by(plans.c.version)
    copy.add_plans(_rows(connection, versions))
    return copy


def _rows(connection: Connection, query: Select[Any]) -> Iterator[dict[str, Any]]:
    return (dict(row._mapping) for row in connection.execute(query))

"""Blocks and evidence: every block is stored and folded exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from switchover.canonical import canonical
from switchover.errors import UnknownMigration
from switchover.judge.block import Block
from switchover.ledger.database import is_postgres
from switchover.ledger.intake import check_blocks, intervals
from switchover.ledger.tables import blocks as table
from switchover.ledger.tables import evidence
from switchover.ledger.tallies import add_up
from switchover.ports import Fold, Ingested, Part

# SQLite takes 32 766 parameters in a statement, PostgreSQL 65 535; a block has 12.
_CHUNK = 2000


def ingest(
    connection: Connection,
    migration: str,
    blocks: Sequence[Block],
    cursor: str,
    fold: Fold,
    always: bool = False,
    part: Part | None = None,
) -> Ingested:
    """Store what is new and fold it, under the lock of the migration's evidence row.

    ``fold`` runs when there are fresh blocks or no evidence yet, or ``always``: repeated
    delivery changes nothing but the cursor.
    """
    check_blocks(migration, blocks)
    query = select(evidence).where(evidence.c.migration == migration).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownMigration(migration)
    known = None if row.document is None else json.loads(row.document)
    unique = {block.id: block for block in blocks}
    new = _insert(connection, list(unique.values()))
    fresh = [block for key, block in unique.items() if key in new]
    text = row.document
    if fresh or always or text is None:
        document = fold(known, fresh)
        text = canonical(document)
        if part is not None:
            add_up(connection, migration, document, fresh, part)
    connection.execute(
        update(evidence)
        .where(evidence.c.migration == migration)
        .values(cursor=cursor, document=text, version=row.version + 1)
    )
    return Ingested(len(fresh), len(blocks) - len(fresh), json.loads(text))


def cursor(connection: Connection, migration: str) -> str:
    """Where collecting stopped."""
    return str(_evidence(connection, migration).cursor)


def current(connection: Connection, migration: str) -> dict[str, Any] | None:
    """The stored evidence; None before the first look."""
    text = _evidence(connection, migration).document
    document: dict[str, Any] | None = None if text is None else json.loads(text)
    return document


def between(connection: Connection, migration: str, since: float, until: float) -> Iterator[Block]:
    """Blocks that begin in ``[since, until)``, in order of time."""
    _evidence(connection, migration)
    query = (
        select(table)
        .where(table.c.migration == migration, table.c.start >= since, table.c.start < until)
        .order_by(table.c.start, table.c.id)
        .execution_options(yield_per=_CHUNK)
    )
    for row in connection.execute(query):
        sketch = {int(bucket): count for bucket, count in json.loads(row.sketch).items()}
        yield Block(**{**row._mapping, "sketch": sketch})


def rates(
    connection: Connection, migration: str, metric: str, since: float, bins: int
) -> list[dict[str, Any]]:
    """Counts per interval and system; ``at`` is where the interval begins."""
    intervals(since, since, bins)  # refuses an impossible number before anything is read
    _evidence(connection, migration)
    wanted = (table.c.migration == migration, table.c.metric == metric, table.c.start >= since)
    low, high = connection.execute(
        select(func.min(table.c.start), func.max(table.c.start)).where(*wanted)
    ).one()
    if low is None:
        return []
    first, width = intervals(low, high, bins)
    # Whole milliseconds: both databases divide integers alike.
    place = (cast(table.c.start * 1000, BigInteger) - first) // width
    query = (
        select(place.label("place"), table.c.system, func.sum(table.c.n), func.sum(table.c.bad))
        .where(*wanted)
        .group_by("place", table.c.system)
        .order_by("place", table.c.system)
    )
    return [
        {"at": (first + int(at) * width) / 1000, "system": system, "n": int(n), "bad": int(bad)}
        for at, system, n, bad in connection.execute(query)
    ]


def _evidence(connection: Connection, migration: str) -> Any:
    row = connection.execute(
        select(evidence).where(evidence.c.migration == migration)
    ).one_or_none()
    if row is None:
        raise UnknownMigration(migration)
    return row


def _insert(connection: Connection, blocks: Sequence[Block]) -> set[str]:
    """Insert and tell which ids are new. The row count would not: a driver may not know it."""
    insert = postgresql.insert if is_postgres(connection) else sqlite.insert
    new: set[str] = set()
    for rows in _chunks([_row(block) for block in blocks]):
        # The rows are no part of the statement, so that it is compiled once for any number.
        statement = insert(table).on_conflict_do_nothing(index_elements=["id"])
        new.update(connection.execute(statement.returning(table.c.id), rows).scalars())
    return new


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _row(block: Block) -> dict[str, Any]:
    row = {column.name: getattr(block, column.name) for column in table.columns}
    return row | {"sketch": canonical(block.sketch)}

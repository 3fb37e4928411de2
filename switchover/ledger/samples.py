"""Sampled disagreements: each is stored once, and of each attempt the newest are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from switchover.canonical import canonical
from switchover.judge.sample import Sample, read_mismatches
from switchover.ledger.database import is_postgres
from switchover.ledger.tables import mismatches as table
from switchover.ports import SAMPLES_KEPT


def keep(connection: Connection, migration: str, attempt: int, samples: Sequence[Sample]) -> int:
    """Insert what is new, then drop what is beyond the newest :data:`SAMPLES_KEPT`."""
    insert = postgresql.insert if is_postgres(connection) else sqlite.insert
    rows = [
        {
            "id": sample.id,
            "migration": migration,
            "attempt": attempt,
            "at": sample.at,
            "epoch": sample.epoch,
            "document": canonical([mismatch.to_dict() for mismatch in sample.mismatches]),
        }
        for sample in samples
    ]
    if not rows:
        return 0
    statement = insert(table).values(rows).on_conflict_do_nothing(index_elements=["id"])
    new = connection.execute(statement.returning(table.c.id)).scalars().all()
    of_attempt = (table.c.migration == migration, table.c.attempt == attempt)
    newest = (
        select(table.c.id)
        .where(*of_attempt)
        .order_by(table.c.at.desc(), table.c.id)
        .limit(SAMPLES_KEPT)
    )
    connection.execute(delete(table).where(*of_attempt, table.c.id.not_in(newest)))
    return len(new)


def of_attempt(connection: Connection, migration: str, attempt: int) -> list[Sample]:
    """What is stored of an attempt, newest first."""
    query = (
        select(table)
        .where(table.c.migration == migration, table.c.attempt == attempt)
        .order_by(table.c.at.desc(), table.c.id)
    )
    return [
        Sample(row.id, row.at, row.epoch, read_mismatches(json.loads(row.document)))
        for row in connection.execute(query)
    ]

"""Tallies: the sums of the blocks by stage, kept up as they come, so that nobody adds up weeks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from switchover.canonical import canonical
from switchover.judge.block import Block, Tally
from switchover.ledger.database import is_postgres
from switchover.ledger.intake import by_part
from switchover.ledger.tables import tallies as table
from switchover.ports import Part, StageTally

_KEY = ("migration", "attempt", "stage", "metric", "system")


def add_up(
    connection: Connection,
    migration: str,
    document: dict[str, Any],
    blocks: Sequence[Block],
    part: Part,
) -> None:
    """Add fresh blocks to their stages. The caller holds the lock of the migration's evidence."""
    sums = by_part(document, blocks, part)
    if not sums:
        return
    wanted = or_(
        *(
            and_(table.c.attempt == attempt, table.c.stage == stage)
            for attempt, stage in {key[:2] for key in sums}
        )
    )
    for row in connection.execute(select(table).where(table.c.migration == migration, wanted)):
        fresh = sums.get((row.attempt, row.stage, row.metric, row.system))
        if fresh is not None:
            fresh.add(_tally(row))
    rows = [
        dict(zip(_KEY, (migration, *key), strict=True))
        | {
            "n": tally.n,
            "bad": tally.bad,
            "total": tally.total,
            "total_squares": tally.total_squares,
            "sketch": canonical(tally.sketch),
        }
        for key, tally in sums.items()
    ]
    dialect = postgresql if is_postgres(connection) else sqlite
    insert = dialect.insert(table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in _KEY}
    connection.execute(insert.on_conflict_do_update(index_elements=_KEY, set_=changed), rows)


def of_attempt(connection: Connection, migration: str, attempt: int) -> list[StageTally]:
    """The sums of one attempt, by stage, metric and system."""
    query = select(table).where(table.c.migration == migration, table.c.attempt == attempt)
    found = [
        StageTally(row.attempt, row.stage, row.metric, row.system, _tally(row))
        for row in connection.execute(query)
    ]
    # Not by the database: PostgreSQL sorts text by its locale.
    return sorted(found, key=lambda each: (each.stage, each.metric, each.system))


def _tally(row: Row[Any]) -> Tally:
    sketch = {int(bucket): count for bucket, count in json.loads(row.sketch).items()}
    return Tally(row.n, row.bad, row.total, row.total_squares, sketch)

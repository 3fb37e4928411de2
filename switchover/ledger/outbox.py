"""The outbox: effects are queued with their entry, leased, and done once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from switchover.canonical import canonical
from switchover.errors import InputError
from switchover.ledger.chain import stamp
from switchover.ledger.database import is_postgres
from switchover.ledger.tables import effects
from switchover.ports import Effect

# Named one by one, so that the index leaves out the many that are done.
_OPEN = ("pending", "leased", "failed")


def queue(
    connection: Connection, migration: str, revision: int, at: datetime, wanted: Sequence[Effect]
) -> None:
    """Add the effects of one entry; a key that is known already stays as it is."""
    if not wanted:
        return
    insert = postgresql.insert if is_postgres(connection) else sqlite.insert
    rows = [
        {
            "key": effect.key,
            "migration": migration,
            "revision": revision,
            "position": position,
            "kind": effect.kind,
            "payload": canonical(effect.payload),
            "status": "pending",
            "attempts": 0,
            "retry_at": effect.not_before and stamp(effect.not_before),
            "created_at": stamp(at),
        }
        for position, effect in enumerate(wanted)
    ]
    connection.execute(insert(effects).on_conflict_do_nothing(index_elements=["key"]), rows)


def claim(connection: Connection, now: datetime, lease: float, limit: int) -> list[Effect]:
    """Lease what is due, what was never tried before what failed, and oldest first; rows another
    claimer holds at this moment are skipped."""
    moment = stamp(now)
    # A Slack that hangs with a day's messages would keep a rollback's run waiting otherwise.
    tried = case((effects.c.attempts > 0, 1), else_=0)
    due = (
        select(effects.c.key, effects.c.kind, effects.c.payload, effects.c.attempts)
        .where(
            effects.c.status.in_(_OPEN),
            or_(effects.c.lease_until.is_(None), effects.c.lease_until <= moment),
            or_(effects.c.retry_at.is_(None), effects.c.retry_at <= moment),
        )
        .order_by(
            tried,
            effects.c.created_at,
            effects.c.migration,
            effects.c.revision,
            effects.c.position,
        )
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite has no row locks; the writer is alone there
    )
    rows = connection.execute(due).all()
    if rows:
        connection.execute(
            update(effects)
            .where(effects.c.key.in_([row.key for row in rows]))
            .values(
                status="leased",
                attempts=effects.c.attempts + 1,
                lease_until=stamp(now + timedelta(seconds=lease)),
            )
        )
    return [Effect(r.key, r.kind, json.loads(r.payload), r.attempts + 1) for r in rows]


def finish(connection: Connection, key: str, result: dict[str, Any]) -> None:
    """Mark as done; the first result stays."""
    _settle(connection, key, status="done", result=canonical(result), error=None)


def fail(connection: Connection, key: str, error: str, retry_at: datetime) -> None:
    """Give the effect back, to be claimed again from ``retry_at``; one that is done stays done."""
    _settle(connection, key, status="failed", error=error, retry_at=stamp(retry_at))


def listing(connection: Connection, migration: str) -> list[dict[str, Any]]:
    """A migration's effects, oldest first."""
    query = (
        select(effects)
        .where(effects.c.migration == migration)
        .order_by(effects.c.revision, effects.c.position)
    )
    return [
        {
            "key": row.key,
            "kind": row.kind,
            "status": row.status,
            "attempts": row.attempts,
            "result": None if row.result is None else json.loads(row.result),
            "error": row.error,
        }
        for row in connection.execute(query)
    ]


def _settle(connection: Connection, key: str, **values: str | None) -> None:
    changed = connection.execute(
        update(effects)
        .where(effects.c.key == key, effects.c.status != "done")
        .values(lease_until=None, **values)
    )
    known = select(effects.c.key).where(effects.c.key == key)
    if changed.rowcount == 0 and connection.execute(known).first() is None:
        raise InputError(f"there is no effect {key!r} in the ledger")

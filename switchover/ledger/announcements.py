"""Up to which revision each migration's entries were announced."""

from __future__ import annotations

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.dialects import postgresql, sqlite

from switchover.ledger.chain import Link
from switchover.ledger.database import is_postgres, reading, writing
from switchover.ledger.step import entry_of
from switchover.ledger.tables import announced, entries, migrations
from switchover.ports import Entry


class SqlAnnouncements:
    """The cursor of announcements, in the ledger's own database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pending(self, limit: int) -> list[Entry]:
        """Entries that are not confirmed, by migration and revision; at most ``limit``."""
        told = func.coalesce(announced.c.revision, 0)
        behind = (
            select(migrations.c.slug, told.label("told"))
            .outerjoin(announced, announced.c.migration == migrations.c.slug)
            .where(migrations.c.revision > told)
            .subquery()
        )
        query = (
            select(entries)
            .join(
                behind,
                and_(entries.c.migration == behind.c.slug, entries.c.revision > behind.c.told),
            )
            .order_by(entries.c.migration, entries.c.revision)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [entry_of(Link(**row._mapping)) for row in rows]

    def confirm(self, migration: str, revision: int) -> None:
        """All entries up to ``revision`` are published; a smaller one changes nothing."""
        with writing(self._engine) as connection:
            dialect = postgresql if is_postgres(connection) else sqlite
            insert = dialect.insert(announced).values(migration=migration, revision=revision)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["migration"],
                    set_={"revision": revision},
                    where=announced.c.revision < revision,
                )
            )

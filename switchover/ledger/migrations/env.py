"""Runs the versions on the connection, and in the transaction, that ``upgrade`` holds."""

from __future__ import annotations

from alembic import context

from switchover.ledger.schema import VERSION_TABLE
from switchover.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # true of SQLite too, as the engine begins its own transactions
)
with context.begin_transaction():
    context.run_migrations()

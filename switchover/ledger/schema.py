"""The schema's version: bring it up to date, and refuse to work on another one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL

from switchover.errors import DependencyUnavailable, NoLedger
from switchover.ledger.database import (
    is_new_file,
    is_postgres,
    open_engine,
    printable,
    reading,
    writing,
)

#: Not Alembic's own name: the ledger may share a database with others who use Alembic.
VERSION_TABLE = "ledger_version"

# Any number, as long as every upgrade of a ledger asks for the same lock.
_LOCK = 0x5357_4C45_4447_4552


def upgrade(address: str | URL | Engine) -> None:
    """Create or update the ledger's tables. Safe to repeat, and to run from many processes.

    Raises ``DependencyUnavailable`` when the schema is newer than this version of Switchover.
    """
    engine = open_engine(address)
    try:
        with writing(engine) as connection:
            if is_postgres(connection):
                connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _refuse_newer(_version(connection))
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        if engine is not address:
            engine.dispose()


def check_schema(engine: Engine) -> None:
    """Raise ``DependencyUnavailable`` unless the schema is exactly this version's, and its
    ``NoLedger`` when there is none at all. Asking makes no file."""
    found = None
    if not is_new_file(engine):
        with reading(engine) as connection:
            found = _version(connection)
    _refuse_newer(found)
    head = _scripts().get_current_head()
    advice = "run `switchover {}`, or switchover.ledger.upgrade(url), once"
    if found is None:
        raise NoLedger(
            "database",
            f"the ledger's schema is missing at {printable(engine)}; {advice.format('start PLAN')}",
        )
    if found != head:
        raise DependencyUnavailable(
            "database",
            f"the ledger's schema is at version {found}, this Switchover needs {head}; "
            + advice.format("deploy"),
        )


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise DependencyUnavailable(
            "database",
            f"the ledger's schema is at version {found}, which this Switchover does not know; "
            "install the newer Switchover that made it",
        )


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    place = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", place)
    config.set_main_option("path_separator", "os")
    return config

"""The ledger's schema: versions, and what happens on another one or on none."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, insert, select, text

import switchover.ledger
from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.block import Block
from switchover.ledger import SqlLedger, schema, upgrade, verify
from switchover.ledger.schema import VERSION_TABLE
from switchover.ledger.tables import metadata
from switchover.machine.event import Held, Resumed
from switchover.ports import Effect, Record
from switchover.testing.ledger import begin_migration


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.mark.req("K6")
def test_upgrading_twice_changes_nothing(url: str) -> None:
    """What was written before stays."""
    upgrade(url)
    ledger = SqlLedger(url)
    made = begin_migration(ledger)
    upgrade(url)
    upgrade(ledger.engine)
    assert ledger.read("mood") == made
    assert verify(ledger) == []


@pytest.mark.req("K6")
def test_a_ledger_of_the_first_version_keeps_what_it_holds(url: str, tmp_path: Path) -> None:
    """Its entries verify, its blocks are folded no second time, and it goes on from there."""
    made, blocks = fill_first_version(url, tmp_path)
    with pytest.raises(DependencyUnavailable, match=r"version 0001.*switchover deploy"):
        SqlLedger(url).migrations()
    upgrade(url)
    upgrade(url)
    ledger = SqlLedger(url)
    assert verify(ledger) == []
    assert ledger.read("mood") == made
    assert [entry.kind for entry in ledger.entries("mood")] == ["started", "held"]
    assert list(ledger.blocks("mood", 0.0, 1e12)) == blocks
    assert [(e["key"], e["status"]) for e in ledger.effects("mood")] == [("k1", "pending")]
    assert (ledger.samples("mood", 1), ledger.tallies("mood", 1)) == ([], [])
    again = ledger.ingest("mood", blocks, "2-0", lambda known, fresh: {"never": len(fresh)})
    assert (again.fresh, again.evidence) == (0, {"seen": 3})
    ledger.append("mood", 2, Resumed(3.0, "ann", "on"), at=made_at(3), actor="ann")
    assert verify(ledger) == []


def made_at(second: int) -> datetime:
    return datetime(2026, 1, 5, 12, 0, second, tzinfo=UTC)


def fill_first_version(url: str, directory: Path) -> tuple[Record, list[Block]]:
    """Tables of version 0001 alone, with a migration's rows in them, column by column."""
    source = f"sqlite:///{directory / 'source.sqlite'}"
    upgrade(source)
    ledger = SqlLedger(source)
    begin_migration(ledger, at=made_at(1), effects=[Effect("k1", "slack", {"text": "begun"})])
    made = ledger.append("mood", 1, Held(2.0, "ann", "lunch"), at=made_at(2), actor="ann")
    blocks = [
        Block(f"b{i}", "mood", "success_rate", "candidate", 100.0 + i, 5.0, n=10, bad=i)
        for i in range(3)
    ]
    ledger.ingest("mood", blocks, "1-0", lambda known, fresh: {"seen": len(fresh)})
    config = schema._config()
    engine, old = create_engine(url), MetaData()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        old.reflect(connection)
        old.remove(old.tables[VERSION_TABLE])
        with ledger.engine.connect() as full:
            for table in old.sorted_tables:
                rows = full.execute(select(*table.columns)).mappings().all()
                if rows:
                    connection.execute(insert(table), [dict(row) for row in rows])
    engine.dispose()
    ledger.close()
    return made, blocks


@pytest.mark.req("K6")
def test_the_migrations_build_the_tables_that_the_code_names(url: str) -> None:
    """Alembic sees no difference between the versions and the metadata."""
    upgrade(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.req("K6")
def test_a_database_without_tables_is_named(url: str) -> None:
    """The error says what is missing and what to run."""
    with pytest.raises(DependencyUnavailable, match=r"schema is missing.*upgrade"):
        SqlLedger(url).migrations()


@pytest.mark.req("K6")
def test_a_newer_schema_is_refused(url: str) -> None:
    """Neither reading nor upgrading touches tables of a version that is not known."""
    upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for attempt in (lambda: SqlLedger(url).migrations(), lambda: upgrade(url)):
        with pytest.raises(DependencyUnavailable, match=r"9999.*newer Switchover"):
            attempt()
    engine.dispose()


@pytest.mark.req("K6")
def test_an_upgrade_that_fails_leaves_nothing(sqlite_url: str) -> None:
    """DDL is part of the transaction: a half-made schema never stays behind."""
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE effects (x TEXT)"))  # in the way of the last table
    with pytest.raises(DependencyUnavailable, match="effects"):
        upgrade(sqlite_url)
    with engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert names.scalars().all() == ["effects"]
    engine.dispose()


@pytest.mark.req("K6")
def test_there_is_no_way_down() -> None:
    """No downgrade in the versions nor in the API: an append-only record is not taken back."""
    place = Path(switchover.ledger.__file__).parent / "migrations" / "versions"
    versions = [path.stem for path in place.glob("v*.py")]
    assert versions
    for name in versions:
        module = import_module(f"switchover.ledger.migrations.versions.{name}")
        assert not hasattr(module, "downgrade")
    assert "downgrade" not in switchover.ledger.__all__


@pytest.mark.req("INV7")
def test_a_database_that_is_down_is_named_without_its_password() -> None:
    """The error says which database and where; no secret is in it."""
    ledger = SqlLedger("postgresql://ann:s3cret@127.0.0.1:1/ledger?sslpassword=s4cret")
    with pytest.raises(DependencyUnavailable) as caught:
        ledger.migrations()
    assert caught.value.name == "database"
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "s4cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Garbage in place of the SQLite file is a dependency fault, not a traceback."""
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is not a database, and it is long enough to be looked at " * 20)
    with pytest.raises(DependencyUnavailable, match=r"ledger\.sqlite"):
        SqlLedger(f"sqlite:///{path}").migrations()


def test_a_connection_that_the_server_closed_is_replaced(postgres_database: str) -> None:
    """A restart of the server costs at most the pooled connection, not the next call."""
    upgrade(postgres_database)
    ledger = SqlLedger(postgres_database)
    begin_migration(ledger)
    other = create_engine(postgres_database)
    with other.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert ledger.read("mood").state.revision == 1
    other.dispose()


def test_a_locked_row_is_reported_and_not_waited_for_for_ever(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that hangs in another process is a dependency fault after the time limit."""
    monkeypatch.setattr("switchover.ledger.database.LOCK_TIMEOUT", 0.2)
    upgrade(postgres_database)
    ledger = SqlLedger(postgres_database)
    begin_migration(ledger)
    other = create_engine(postgres_database)
    with other.begin() as connection:
        connection.execute(text("SELECT * FROM evidence FOR UPDATE"))
        with pytest.raises(DependencyUnavailable, match="lock timeout"):
            ledger.ingest("mood", [], "1-0", lambda known, blocks: {})
    other.dispose()


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"])
def test_an_address_that_can_not_work_is_bad_input(address: str) -> None:
    """In-memory SQLite, other databases and nonsense are refused with the way out."""
    with pytest.raises(InputError):
        SqlLedger(address).migrations()


def test_the_directory_of_a_file_is_made(tmp_path: Path) -> None:
    """A first start needs no preparation."""
    url = f"sqlite:///{tmp_path / 'var' / 'lib' / 'ledger.sqlite'}"
    upgrade(url)
    assert SqlLedger(url).migrations() == []


def test_values_that_a_database_can_not_hold_are_bad_input(postgres_database: str) -> None:
    """PostgreSQL has no NUL in text: the caller hears so, and nothing is written."""
    upgrade(postgres_database)
    ledger = SqlLedger(postgres_database)
    with pytest.raises(InputError, match="NUL"):
        begin_migration(ledger, actor="a\x00b")
    assert ledger.migrations() == []

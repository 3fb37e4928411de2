"""The record as the databases hold it: the same on both, verified, and closed to changes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from switchover.canonical import digest_of
from switchover.errors import InputError
from switchover.ledger import SqlLedger, export, upgrade, verify, verify_export
from switchover.ledger.chain import Chain, Link
from switchover.machine.event import Held, Noted, Resumed, StageEntered
from switchover.ports import Effect, StoredPlan
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEY = b"a secret that the database does not hold"
UNGUARD = {
    "sqlite": "DROP TRIGGER IF EXISTS entries_no_update",
    "postgresql": "ALTER TABLE entries DISABLE TRIGGER USER",
}


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    upgrade(url)
    return url


def _fill(ledger: SqlLedger, slug: str = "mood") -> None:
    begin_migration(ledger, slug, at=NOON, effects=[Effect(f"{slug}-1", "slack", {})])
    second = StoredPlan(2, digest_of({"v": 2}), {"v": 2}, "plans")
    ledger.append(slug, 1, Noted(1.0, "plan", "changed"), at=NOON, actor="ann", plan=second)
    ledger.append(
        slug, 2, StageEntered(1, "canary", "gradual", 1000, 0, 2.0, 3.0), at=NOON, actor="cron"
    )
    ledger.append(slug, 3, Held(4.0, "bob", "lunch"), at=NOON, actor="bob")
    ledger.append(slug, 4, Resumed(5.0, "bob", "fed"), at=NOON, actor="bob")


@pytest.mark.req("K4")
@pytest.mark.req("K6")
def test_an_untouched_ledger_verifies_on_both_databases(url: str) -> None:
    """With a key and without, live and exported; and a change is found on both."""
    for slug, key in (("keyed", KEY), ("plain", None)):
        _fill(SqlLedger(url, key), slug)
        ledger = SqlLedger(url, key)
        assert verify(ledger, slug) == []
        assert verify_export(export(ledger, slug), key) == []
        with ledger.engine.begin() as connection:
            connection.execute(text(UNGUARD[connection.dialect.name]))
            connection.execute(
                text("UPDATE entries SET actor = 'eve' WHERE migration = :slug AND revision = 3"),
                {"slug": slug},
            )
        fault = f"{slug}, revision 3: does not match its digest (changed or forged)"
        assert fault in verify(ledger, slug)


@pytest.mark.req("K6")
def test_both_databases_hold_the_same_chain(sqlite_url: str, postgres_database: str) -> None:
    """The same events give the same export, byte for byte."""
    exports = []
    for url in (sqlite_url, postgres_database):
        upgrade(url)
        ledger = SqlLedger(url, KEY)
        _fill(ledger)
        exports.append(list(export(ledger)))
    assert exports[0] == exports[1]


@pytest.mark.req("K4")
@pytest.mark.parametrize("table", ["entries", "plans"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET migration = 'x'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_the_record(
    url: str, table: str, statement: str
) -> None:
    """UPDATE and DELETE fail in SQL, by trigger."""
    ledger = SqlLedger(url)
    _fill(ledger)
    statements = [statement.format(table), "DELETE FROM migrations"]
    if ledger.engine.dialect.name == "sqlite":
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    else:
        statements.append(f"TRUNCATE {table}")
    for refused in statements:
        with (
            pytest.raises(DBAPIError, match="append-only"),
            ledger.engine.begin() as connection,
        ):
            connection.execute(text(refused))
    assert verify(ledger) == []


def test_verifying_an_unknown_migration_is_bad_input(url: str) -> None:
    """A misspelt name must not look like a clean record."""
    ledger = SqlLedger(url)
    _fill(ledger)
    with pytest.raises(InputError, match="moon"):
        verify(ledger, "moon")
    with pytest.raises(InputError, match="moon"):
        list(export(ledger, "moon"))


def test_the_digest_can_be_computed_by_hand() -> None:
    """What the record's documentation says of the digest is all there is to it."""
    plain = Chain(None)
    link = Link("mood", 1, "2026-01-05T12:00:00.000000+00:00", "ann", "noted", "{}", "p", "")
    by_hand = (
        'switchover entry {"actor":"ann","at":"2026-01-05T12:00:00.000000+00:00",'
        '"kind":"noted","migration":"mood","payload":"{}","previous":"p","revision":1}'
    )
    assert plain.digest(link) == hashlib.sha256(by_hand.encode()).hexdigest()

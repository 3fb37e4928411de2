from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from switchover.observe.sources import sql
from switchover.plan.load import restore_plan
from switchover.ports import Mark, MetricSource, Reading
from switchover.wiring.lazy import sources

pytestmark = pytest.mark.req("O6")

#: The outcomes of all tests begin here.
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
ROWS = """SELECT at, system, count(*) AS n, sum(CASE WHEN ok = 0 THEN 1 ELSE 0 END) AS bad
FROM outcomes WHERE at >= :since AND at < :until GROUP BY at, system"""
VALUES = "SELECT at, system, seconds AS value FROM outcomes WHERE at >= :since AND at < :until"
PLAN: dict[str, Any] = {
    "switchover": 1, "migration": "demo", "title": "Demo",
    "systems": {"legacy": {"version": "1", "url": "http://127.0.0.1:1"},
                "candidate": {"version": "2", "url": "http://127.0.0.1:2"}},
    "request_key": {"field": "id"}, "stages": [{"kind": "shadow"}],
    "gates": [{"metric": "success_rate"}],
}  # fmt: skip


class Database:
    """A table of outcomes in a real database, and sources that read it."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.sqlite = self.engine.dialect.name == "sqlite"
        kind = "TEXT" if self.sqlite else "TIMESTAMPTZ"
        self.run(f"CREATE TABLE outcomes (at {kind}, system TEXT, ok INTEGER, seconds FLOAT)")
        monkeypatch.setenv("OUTCOMES_DB", url)

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def add(self, after: float, system: str = "candidate", ok: int = 1, took: float = 0.1) -> None:
        at: Any = datetime.fromtimestamp(BEGIN + after, UTC)
        if self.sqlite:
            at = at.strftime("%Y-%m-%d %H:%M:%S")
        self.run("INSERT INTO outcomes VALUES (:at, :system, :ok, :took)",
                 at=at, system=system, ok=ok, took=took)  # fmt: skip

    def source(self, query: str = ROWS, timeout: str = "5s", **metric: Any) -> MetricSource:
        spec = {"name": "outcomes", "kind": "sql", "database": "env:OUTCOMES_DB", "delay": "30s",
                "timeout": timeout,
                "metrics": [{"metric": "success_rate", "query": query, **metric}]}  # fmt: skip
        (only,) = sources(restore_plan({**PLAN, "sources": [spec]}))
        return only

    def read(self, until: float, mark: Mark | None = None, **source: Any) -> Reading:
        marks = {} if mark is None else {"success_rate": mark}
        (reading,) = self.source(**source).read(marks, since=BEGIN, now=BEGIN + until + 30)
        return reading


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The same on SQLite and on PostgreSQL."""
    return Database(request.getfixturevalue(request.param), monkeypatch)


def counts(reading: Reading) -> dict[str, tuple[int, int]]:
    assert reading.error == ""
    return {block.system: (block.n, block.bad) for block in reading.blocks}


def test_rows_become_one_block_for_each_system(database: Database) -> None:
    """From the mark to before the end; what lies beyond is for the next reading."""
    for after, system, ok in ((0.5, "legacy", 1), (1, "candidate", 1), (2, "candidate", 0)):
        database.add(after, system, ok)
    database.add(60, "candidate")
    first = database.read(60)
    later = database.read(120, first.mark)
    both = [counts(first), counts(later)]
    assert sum(c["candidate"][0] for c in both) == 3
    assert sum(c["candidate"][1] for c in both) == 1
    assert sum(c["legacy"][0] for c in both) <= 1
    assert first.mark is not None
    assert (first.mark.at, later.blocks[0].start) == (BEGIN + 60, BEGIN + 60)


def test_whatever_the_looks_each_row_counts_once(database: Database) -> None:
    """Rows on the edges of spans, and an outage that is read in pieces afterwards."""
    for after in range(0, 4000, 100):
        database.add(after + 0.25 if not database.sqlite else after + 1)
    seen, mark = 0, None
    for until in (100, 130.5, 201, 301, 3900, 3900, 3950, 4100):
        readings = database.source().read(
            {} if mark is None else {"success_rate": mark}, since=BEGIN, now=BEGIN + until + 30
        )
        for reading in readings:
            seen += counts(reading)["candidate"][0]
            mark = reading.mark
    assert seen == 40


def test_a_row_that_is_corrected_later_is_not_counted_again(database: Database) -> None:
    """Its time was read before."""
    database.add(1, ok=1)
    database.add(5, ok=1)
    first = database.read(60)
    database.run("UPDATE outcomes SET ok = 0")
    assert counts(first)["candidate"] == (2, 0)
    assert counts(database.read(120, first.mark))["candidate"] == (0, 0)


def test_values_become_a_sketch(database: Database) -> None:
    """Single rows of durations."""
    database.add(1, took=0.1)
    database.add(2, took=0.3)
    (block,) = database.read(60, query=VALUES, systems=["candidate"]).blocks
    assert (block.n, block.total) == (2, pytest.approx(0.4))
    assert sum(block.sketch.values()) == 2


def test_times_may_be_seconds(database: Database) -> None:
    """Of a table that keeps them as numbers."""
    database.run("CREATE TABLE numbers (at FLOAT, system TEXT)")
    database.run(f"INSERT INTO numbers VALUES ({BEGIN + 3}, 'legacy')")
    query = ("SELECT at, system, 1 AS n, 0 AS bad FROM numbers "
             "WHERE at >= :since AND at < :until")  # fmt: skip
    assert counts(database.read(60, query=query, times="seconds"))["legacy"] == (1, 0)


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT at, system, 1 AS n, 0 AS bad FROM outcomes WHERE :since < :until",
         "rows from outside its time"),
        ("SELECT at, 'new' AS system, 1 AS n, 0 AS bad FROM outcomes WHERE at >= :since "
         "AND at < :until", "says 'new' and not legacy or candidate"),
        ("SELECT at, system, 1 AS n, 2 AS bad FROM outcomes WHERE at >= :since AND at < :until",
         "no part of total"),
        ("SELECT at, system, 1 AS n, NULL AS bad FROM outcomes WHERE at >= :since "
         "AND at < :until", "the column bad has a NoneType"),
        ("SELECT at, system FROM outcomes WHERE at >= :since AND at < :until",
         "name its columns at, system and value"),
        ("SELECT 'noon' AS at, system, 1 AS value FROM outcomes WHERE at >= :since "
         "AND at < :until", "which is no time"),
        ("SELECT nothing FROM outcomes WHERE at >= :since AND at < :until", "the query fails"),
        ("DELETE FROM outcomes WHERE at >= :since AND at < :until", "read"),
    ],
)  # fmt: skip
def test_rows_that_are_not_as_they_should_be_are_an_error(
    database: Database, query: str, said: str
) -> None:
    """And nothing in the database is changed."""
    database.add(1)
    database.add(1000)
    reading = database.read(60, query=query)
    assert said in reading.error
    assert (reading.mark, reading.blocks) == (None, ())
    assert counts(database.read(60))["candidate"] == (1, 0)


@pytest.mark.req("INV6")
def test_a_query_has_a_limited_time(database: Database) -> None:
    """The database ends it."""
    query = """WITH RECURSIVE slow(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM slow WHERE x < 1e9)
    SELECT :since AS at, 'legacy' AS system, count(*) AS value FROM slow WHERE :until > 0"""
    reading = database.read(60, query=query, timeout="100ms", times="seconds")
    assert "longer than 0.1 s" in reading.error or "statement timeout" in reading.error


@pytest.mark.req("INV6")
def test_a_query_has_a_limited_number_of_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are an error, not a part."""
    monkeypatch.setattr(sql, "MOST_ROWS", 3)
    for _ in range(4):
        database.add(1)
    assert "more than 3 rows" in database.read(60, query=VALUES).error


@pytest.mark.req("INV6")
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "OUTCOMES_DB is not set"),
        ("not an address with hunter2", "is not a SQLAlchemy URL"),
        ("postgresql://ada:hunter2@127.0.0.1:1/shop", "127.0.0.1"),
        ("sqlite:////no/such/file.db", "no file"),
        ("mysql://ada:hunter2@db/shop", "are supported"),
    ],
)
def test_a_database_that_is_not_there_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str, said: str, sqlite_url: str
) -> None:
    """The message names what to mend."""
    find: Callable[..., Reading] = Database(sqlite_url, monkeypatch).read
    monkeypatch.setenv("OUTCOMES_DB", address)
    error = find(60).error
    assert said in error
    assert "hunter2" not in error

"""Work items in the tables that real systems have: types, zones, refusals, claims."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from switchover.errors import DependencyUnavailable, InputError
from switchover.integrity.database import limited
from switchover.integrity.items import SqlItemStore
from switchover.plan.work_items import ItemTable
from switchover.ports import ItemChange
from switchover.routing.claims import Claims
from switchover.routing.item_tracker import RedisItemTracker

pytestmark = pytest.mark.req("T13")

IDS = ["00000000-0000-4000-8000-000000000001", "7f000000-0000-4000-8000-000000000002",
       "ff000000-0000-4000-8000-000000000003"]  # fmt: skip


def build(url: str, *statements: str) -> str:
    """Run statements on a database; gives its address."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url


def store(url: str, **names: str) -> SqlItemStore:
    """The items of a table ``work (id, state)``, unless told otherwise."""
    columns = {"table": "work", "key": "id", "state": "state", **names}
    return SqlItemStore(ItemTable(database=url, **columns), "legacy", {})


def moved(items: SqlItemStore, key: int | str, state: str) -> list[str]:
    """Set an item's state; gives the answers."""
    return items.set_states([ItemChange(items.find([key])[key], state)])


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def database(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_uuids_and_their_text_are_the_same_keys(postgres_database: str, sqlite_url: str) -> None:
    """One side has the type, the other keeps text: same names, same order."""
    rows = ", ".join(f"('{key}', 'open')" for key in reversed(IDS))
    build(postgres_database, "CREATE TABLE work (id UUID PRIMARY KEY, state TEXT)",
          f"INSERT INTO work VALUES {rows}")  # fmt: skip
    build(sqlite_url, "CREATE TABLE work (id TEXT PRIMARY KEY, state TEXT)",
          f"INSERT INTO work VALUES {rows}")  # fmt: skip
    ours, theirs = store(postgres_database), store(sqlite_url)
    assert [i.key for i in ours.items()] == [i.key for i in theirs.items()] == IDS
    assert moved(ours, IDS[1], "done") == moved(theirs, IDS[1], "done") == [""]


@pytest.mark.parametrize(
    ("kind", "first", "name", "second", "other"),
    [
        ("INTEGER", "1", "1", "2", "2"),
        ("BOOLEAN", "false", "false", "true", "true"),
        ("VARCHAR(9)", "NULL", "null", "'open'", "open"),
    ],
)
def test_states_have_names_whatever_their_type(
    database: str, kind: str, first: str, name: str, second: str, other: str
) -> None:
    """Numbers, truth values and NULL are written as a plan can name them, and back."""
    build(database, f"CREATE TABLE work (id INTEGER PRIMARY KEY, state {kind})",
          f"INSERT INTO work VALUES (1, {first}), (2, {second})")  # fmt: skip
    items = store(database)
    assert [item.state for item in items.items()] == [name, other]
    assert moved(items, 1, other) == [""]
    assert moved(items, 2, name) == [""]
    assert [item.state for item in items.items()] == [other, name]


def test_a_state_that_no_column_holds_is_bad_input(database: str) -> None:
    """The rule's state is a word, the column holds numbers."""
    build(database, "CREATE TABLE work (id INTEGER PRIMARY KEY, state INTEGER)",
          "INSERT INTO work VALUES (1, 1)")  # fmt: skip
    with pytest.raises(InputError, match=r"'done' does not fit; translate it under states"):
        moved(store(database), 1, "done")


def test_a_state_may_be_of_an_enumerated_type(postgres_database: str) -> None:
    """A value that the type lacks is refused by the database, and the others are set."""
    build(postgres_database, "CREATE TYPE mood AS ENUM ('open', 'done')",
          "CREATE TABLE work (id INTEGER PRIMARY KEY, state mood)",
          "INSERT INTO work VALUES (1, 'open'), (2, 'open')")  # fmt: skip
    items = store(postgres_database)
    seen = items.find([1, 2])
    answers = items.set_states([ItemChange(seen[1], "failed"), ItemChange(seen[2], "done")])
    assert "invalid input value for enum" in answers[0]
    assert answers[1] == ""
    assert [item.state for item in items.items()] == ["open", "done"]


def test_what_a_rule_of_the_table_forbids_is_an_answer(database: str) -> None:
    """One refusal does not keep the next change from being made."""
    build(database, "CREATE TABLE work (id INTEGER PRIMARY KEY, state VARCHAR(9), "
          "CHECK (NOT (id = 1 AND state = 'done')))",
          "INSERT INTO work VALUES (1, 'open'), (2, 'open')")  # fmt: skip
    items = store(database)
    seen = items.find([1, 2])
    answers = items.set_states([ItemChange(seen[key], "done") for key in (1, 2)])
    assert "CHECK" in answers[0].upper()
    assert answers[1] == ""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("TIMESTAMP", "'2026-01-05 09:00:00.5'"),
        ("TIMESTAMP WITH TIME ZONE", "'2026-01-05 10:00:00.5+01:00'"),
        ("TEXT", "'2026-01-05T09:00:00.5+00:00'"),
        ("TEXT", "'1767603600.5'"),
        ("DOUBLE PRECISION", "1767603600.5"),
        ("NUMERIC(12, 1)", "1767603600.5"),
    ],
)
def test_times_are_understood_whichever_way_they_are_kept(
    database: str, kind: str, value: str
) -> None:
    """Without a zone they are UTC; and an item is set by the very time that was seen."""
    build(database, f"CREATE TABLE work (id INTEGER PRIMARY KEY, state TEXT, at {kind})",
          f"INSERT INTO work VALUES (1, 'open', {value}), (2, 'open', NULL)")  # fmt: skip
    items = store(database, updated="at")
    assert [item.updated for item in items.items()] == [1767603600.5, None]
    assert moved(items, 1, "done") == moved(items, 2, "done") == [""]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"key": "name"}, r"legacy: no column name in work; the columns are id, state, at, size"),
        ({"table": "wrok"}, "no table wrok in .*; it has work"),
        ({"key": "size"}, "keys of type .* can't be compared; name a column of text"),
        ({"updated": "state"}, "state is not a time"),
    ],
)
def test_what_the_plan_names_wrongly_is_bad_input(
    database: str, names: dict[str, str], message: str
) -> None:
    """With what there is instead."""
    build(database, "CREATE TABLE work (id INTEGER PRIMARY KEY, state TEXT, at TEXT, size REAL)",
          "INSERT INTO work VALUES (1, 'open', 'never', 1.5)")  # fmt: skip
    with pytest.raises(InputError, match=message):
        list(store(database, **names).items())


def test_a_table_in_a_schema_is_found(postgres_database: str) -> None:
    """And read as well as written there."""
    build(postgres_database, "CREATE SCHEMA desk",
          "CREATE TABLE desk.work (id INTEGER PRIMARY KEY, state TEXT)",
          "INSERT INTO desk.work VALUES (1, 'open')")  # fmt: skip
    items = store(postgres_database, table="desk.work")
    assert moved(items, 1, "done") == [""]
    assert [item.state for item in items.items()] == ["done"]


def test_looking_can_change_nothing(database: str) -> None:
    """Only a repair opens a connection that may write."""
    build(database, "CREATE TABLE work (id INTEGER PRIMARY KEY, state TEXT)")
    engine = sa.create_engine(limited(sa.make_url(database), "x", ""))
    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.exec_driver_sql("DELETE FROM work")
    engine.dispose()


def test_others_may_write_while_sqlite_is_read(sqlite_url: str) -> None:
    """The system at work must not wait for a look at all its items."""
    build(sqlite_url, "CREATE TABLE work (id INTEGER PRIMARY KEY, state TEXT)",
          "INSERT INTO work VALUES (1, 'open'), (2, 'open')")  # fmt: skip
    stream = store(sqlite_url).items()
    next(stream)
    engine = sa.create_engine(sqlite_url, connect_args={"timeout": 0})
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE work SET state = 'done'")
    engine.dispose()
    stream.close()


def test_a_row_that_somebody_is_changing_is_left_alone(postgres_database: str) -> None:
    """A repair does not wait for the system at work; the next change is made."""
    build(postgres_database, "CREATE TABLE work (id INTEGER PRIMARY KEY, state TEXT)",
          "INSERT INTO work VALUES (1, 'open'), (2, 'open')")  # fmt: skip
    items = store(postgres_database)
    seen = items.find([1, 2])
    engine = sa.create_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE work SET state = 'running' WHERE id = 1")
        changes = [ItemChange(seen[key], "done") for key in (1, 2)]
        assert items.set_states(changes) == ["changed", ""]
    engine.dispose()
    assert [item.state for item in items.items()] == ["running", "done"]


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """Nothing is said about the items, and no empty file is made."""
    path = tmp_path / "none.sqlite"
    with pytest.raises(DependencyUnavailable, match="work items of legacy"):
        list(store(f"sqlite:///{path}").items())
    assert not path.exists()
    with pytest.raises(DependencyUnavailable, match="work items of legacy"):
        list(store("postgresql://ann:hunter2@127.0.0.1:9/x").items())


@pytest.fixture
def tracker(fresh_redis_url: str) -> RedisItemTracker:
    return RedisItemTracker(fresh_redis_url)


def test_live_claims_are_seen(fresh_redis_url: str, tracker: RedisItemTracker) -> None:
    """Serving or shadowing, by key as text; not those that were released, completed or expired."""
    claims, brief = Claims("demo", fresh_redis_url), Claims("demo", fresh_redis_url, 0.001)
    _, released, done = [claims.claim(item, "me", "legacy") for item in ("1", "back", "done")]
    assert released is not None
    assert done is not None
    claims.release(released)
    claims.complete(done)
    claims.claim("beside", "me", "candidate", shadow=True)
    brief.claim("over", "me", "legacy")
    Claims("other", fresh_redis_url).claim("elsewhere", "me", "legacy")
    while claims.state("over").status == "held":
        time.sleep(0.001)
    keys = [1, "back", "done", "beside", "over", "elsewhere", "unknown"]
    assert tracker.in_flight("demo", keys) == {1, "beside"}
    assert tracker.in_flight("demo", []) == frozenset()


def test_a_look_is_remembered_for_its_time(tracker: RedisItemTracker) -> None:
    """And forgotten afterwards."""
    assert tracker.recall("demo") is None
    tracker.remember("demo", {"at": 1.5, "seen": [["ä", "x"]]}, 60)
    assert tracker.recall("demo") == {"at": 1.5, "seen": [["ä", "x"]]}
    tracker.remember("demo", {"at": 2}, 0.001)
    while tracker.recall("demo") is not None:
        time.sleep(0.001)
    assert tracker.recall("other") is None

"""What every store of work items promises: on SQLite, on PostgreSQL and in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from switchover.integrity import items as sql_items
from switchover.integrity.items import SqlItemStore
from switchover.plan.work_items import ItemTable
from switchover.ports import Item, ItemChange, ItemStore
from switchover.testing.items import InMemoryItemStore

pytestmark = pytest.mark.req("T13")

#: Upper case before lower case, digits before both, accents last: by code points.
WORDS = ["B", "a", "b", "10", "9", "é", "Z", "z", "ä", "_", "-", "a b", "日本", "😀"]
Fill = Callable[..., ItemStore]
KINDS = {int: "BIGINT", str: "VARCHAR(40)"}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def fill(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fill]:
    """Make a store of rows ``(key, state, updated)``."""
    monkeypatch.setattr(sql_items, "PAGE", 4)
    monkeypatch.setattr(sql_items, "BATCH", 3)
    kind = request.param
    name = {"sqlite": "sqlite_url", "postgres": "postgres_database"}.get(kind)
    engine = sa.create_engine(request.getfixturevalue(name)) if name else None

    def make(rows: list[tuple[Any, str, float | None]]) -> ItemStore:
        if engine is None:
            return InMemoryItemStore(Item(*row, stamp=row[2]) for row in rows)
        key = KINDS[type(rows[0][0])] if rows else "BIGINT"
        with engine.begin() as connection:
            connection.exec_driver_sql(
                f'CREATE TABLE work ("Order" {key} PRIMARY KEY, "group" VARCHAR(20), '
                "updated DOUBLE PRECISION)"
            )
            names = ("key", "state", "updated")
            for row in rows:
                connection.execute(
                    sa.text("INSERT INTO work VALUES (:key, :state, :updated)"),
                    dict(zip(names, row, strict=True)),
                )
        table = ItemTable(database="env:ITEMS", table="work", key="Order", state="group",
                          updated="updated")  # fmt: skip
        url = engine.url.render_as_string(hide_password=False)
        return SqlItemStore(table, "legacy", {"ITEMS": url})

    yield make
    if engine is not None:
        engine.dispose()


@pytest.mark.parametrize("keys", [WORDS, list(range(-5, 12)), []], ids=["text", "numbers", "none"])
def test_items_come_in_the_order_that_python_has(fill: Fill, keys: list[Any]) -> None:
    """Two databases of two languages can then be compared in one pass; pages leave nothing out."""
    store = fill([(key, f"s{key}", 100.5) for key in keys])
    assert list(store.items()) == [Item(key, f"s{key}", 100.5) for key in sorted(keys)]


def test_reading_may_stop_anywhere(fill: Fill) -> None:
    """Nothing stays open."""
    store = fill([(key, "open", None) for key in range(20)])
    stream = store.items()
    assert next(stream).key == 0
    stream.close()
    assert len(list(store.items())) == 20


def test_items_are_found_by_key(fill: Fill) -> None:
    """More keys than one statement takes, some of them unknown."""
    store = fill([(key, "open", None) for key in range(10)])
    assert sorted(store.find([*range(5, 15)])) == [5, 6, 7, 8, 9]
    assert store.find([]) == {}


def test_a_state_is_set_while_it_is_as_it_was_seen(fill: Fill) -> None:
    """Nothing else of the table changes, and the second time it is no longer as it was seen."""
    store = fill([(1, "open", 5.0), (2, "open", 5.0)])
    change = ItemChange(store.find([1])[1], "done")
    assert store.set_states([change]) == [""]
    assert store.set_states([change]) == ["changed"]
    assert [item.state for item in store.items()] == ["done", "open"]
    assert store.set_states([]) == []


def test_what_changed_since_is_left_alone(fill: Fill) -> None:
    """By its state, by its time, or because it is gone; the other changes are made."""
    store = fill([(1, "open", 5.0), (2, "open", 5.0), (3, "open", 5.0)])
    seen = store.find([1, 2, 3])
    changes = [
        ItemChange(Item(1, "failed", 5.0, 5.0), "done"),
        ItemChange(Item(2, "open", 4.0, 4.0), "done"),
        ItemChange(seen[3], "done"),
        ItemChange(Item(4, "open", 5.0, 5.0), "done"),
    ]
    assert store.set_states(changes) == ["changed", "changed", "", "changed"]
    assert [item.state for item in store.items()] == ["open", "open", "done"]

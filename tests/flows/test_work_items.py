"""Work items on Prefect: the sweep repairs what the plan says, and the rest holds the step."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desk(land: Any) -> Any:
    """Both systems' tables in one file, with two items in two states, and a way to run SQL."""
    file = land.directory / "items.sqlite"

    def run(*statements: str) -> list[Any]:
        with sqlite3.connect(file) as connection:
            rows = [connection.execute(each).fetchall() for each in statements]
        connection.close()
        return rows[-1]

    for table, states in (("ours", "(1, 'done', 1), (2, 'open', 1)"),
                          ("theirs", "(1, 'open', 1), (2, 'failed', 1)")):  # fmt: skip
        run(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, state TEXT, at REAL)",
            f"INSERT INTO {table} VALUES {states}")  # fmt: skip
    return run


@pytest.mark.req("T13", "P8")
def test_the_sweep_repairs_and_a_step_waits_for_what_is_left(
    land: Any, journey: Any, desk: Any
) -> None:
    """One item by the plan's rule, the other by a person; then the step is taken."""
    url = f"sqlite:///{land.directory / 'items.sqlite'}"
    columns = {"database": url, "key": "id", "state": "state", "updated": "at"}
    journey.start(
        work_items={
            "legacy": {**columns, "table": "ours"},
            "candidate": {**columns, "table": "theirs"},
            "rules": [{"legacy": "done", "candidate": "*", "repair": "use_legacy"}],
        }
    )
    assert journey.step().action == "enter"
    kind, _, message = journey.run("monitor/monitor")
    assert kind == "COMPLETED", message
    assert desk("SELECT state FROM theirs ORDER BY id") == [("done",), ("failed",)]
    (repaired,) = journey.entries("items_repaired")
    assert (repaired.actor, repaired.payload["repaired"]) == ("monitor", 1)

    journey.evidence()
    assert "2 items compared, 1 disagree" in journey.advance()
    (data,) = journey.entries("data_checked")
    assert [each["name"] for each in data.payload["results"]] == ["work items"]
    assert journey.case.stage.kind == "shadow"
    desk("UPDATE theirs SET state = 'open' WHERE id = 2")
    assert "canary 25 % begins" in journey.advance()

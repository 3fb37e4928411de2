"""A repair of work items killed before any command of any database: run again, the end is one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from switchover.engine.context import ItemPorts
from switchover.engine.repair_items import reconcile_items
from switchover.engine.start import start
from switchover.integrity.items import SqlItemStore
from switchover.ledger import SqlLedger, upgrade
from switchover.testing.items import InMemoryItemTracker
from tests.unit.engine.conftest import World
from tests.unit.engine.items_world import SECTION

ITEMS = 6
#: Every other item disagrees.
DISAGREE = [key for key in range(ITEMS) if key % 2]
_PROCESSES = multiprocessing.get_context("fork")


class Site:
    """A ledger and the tables of both sides, each in a file of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.urls = {side: f"sqlite:///{directory / side}.sqlite" for side in
                     ("ledger", "legacy", "candidate")}  # fmt: skip
        tables = {side: {**SECTION[side], "database": self.urls[side]} for side in
                  ("legacy", "candidate")}  # fmt: skip
        self.world = World(directory)
        self.plan = self.world.plan(work_items={**SECTION, **tables})

    def build(self) -> None:
        """Fill the tables and start the migration."""
        for side, wrong in (("legacy", "done"), ("candidate", "open")):
            engine = sa.create_engine(self.urls[side])
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE items (id INTEGER PRIMARY KEY, state TEXT)"
                )
                for key in range(ITEMS):
                    state = wrong if key in DISAGREE else "running"
                    connection.exec_driver_sql(f"INSERT INTO items VALUES ({key}, '{state}')")
            engine.dispose()
        upgrade(self.urls["ledger"])
        start(self.context(), self.plan, actor="carl")

    def context(self) -> Any:
        """An engine as another process would build it, that saw the same ten minutes ago."""
        tracker = InMemoryItemTracker()
        now = self.world.clock.now().timestamp()
        seen = [[key, "done", "open", now - 600, False] for key in DISAGREE]
        tracker.remember("demo", {"began": now - 600, "at": now - 600, "seen": seen}, 900)
        ports = ItemPorts(lambda table, side: SqlItemStore(table, side, {}), tracker)
        ledger = SqlLedger(self.urls["ledger"])
        return replace(self.world.context, ledger=ledger, items=ports)

    def states(self, side: str) -> list[str]:
        """The states of a side by key."""
        engine = sa.create_engine(self.urls[side])
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT state FROM items ORDER BY id").scalars()
            states = list(rows)
        engine.dispose()
        return states


def _look_until(site: Site, count: int) -> None:
    """Look once, and die just before the ``count``-th command that any database hears."""
    context, left = site.context(), count

    def die(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(sa.Engine, "before_cursor_execute", die)
    event.listen(sa.Engine, "commit", die)
    reconcile_items(context, "demo", actor="monitor")


@pytest.mark.req("T13", "INV4")
def test_a_repair_killed_before_any_command_is_finished_and_told_once(tmp_path: Path) -> None:
    """For each command one death: the next look ends with the same rows and the same record."""
    count, exitcode, orders = 0, -signal.SIGKILL, 0
    while exitcode == -signal.SIGKILL:
        count += 1
        directory = tmp_path / str(count)
        directory.mkdir()
        site = Site(directory)
        site.build()
        child = _PROCESSES.Process(target=_look_until, args=(site, count), daemon=True)
        child.start()
        child.join(30)
        assert child.exitcode is not None, "the look hangs"
        exitcode = child.exitcode
        context = site.context()
        orders += bool(context.open("demo").state.items and context.open("demo").state.items.order)
        reconcile_items(context, "demo", actor="monitor")
        wanted = ["completed" if key in DISAGREE else "running" for key in range(ITEMS)]
        assert site.states("candidate") == wanted
        assert site.states("legacy") == [state.replace("completed", "done") for state in wanted]
        entries = context.ledger.entries("demo")
        told = [entry.payload["repaired"] for entry in entries if entry.kind == "items_repaired"]
        assert told == [len(DISAGREE)]
        ordered = [r["key"] for e in entries for r in e.payload.get("repairs", ())]
        assert ordered == DISAGREE
        context.ledger.close()
    assert exitcode == 0
    assert count > 15, "the deaths did not reach into the repair"
    assert orders > 5, "no death fell between the order and its outcome"

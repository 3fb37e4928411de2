"""A world whose two systems keep work items in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from switchover.engine.context import ItemPorts
from switchover.engine.repair_items import Reconciled, reconcile_items
from switchover.testing.items import InMemoryItemStore, InMemoryItemTracker

TABLE = {"database": "env:ITEMS", "table": "items", "key": "id", "state": "state"}
SECTION: dict[str, Any] = {
    "legacy": TABLE,
    "candidate": TABLE,
    "states": {"completed": "done"},
    "rules": [
        {"legacy": "done", "candidate": "*", "repair": "use_legacy"},
        {"legacy": "open", "candidate": "completed", "repair": "use_candidate"},
    ],
}
MIGRATION = "demo"


@dataclass
class ItemsWorld:
    """The world, both stores, and the moves that tests make."""

    world: Any
    legacy: InMemoryItemStore
    candidate: InMemoryItemStore
    tracker: InMemoryItemTracker

    @classmethod
    def of(cls, world: Any, **changes: Any) -> ItemsWorld:
        """Start the plan with work items, whose section is changed by ``changes``."""
        sides = {"legacy": InMemoryItemStore(), "candidate": InMemoryItemStore()}
        tracker = InMemoryItemTracker()
        ports = ItemPorts(lambda table, side: sides[side], tracker)
        world.context = replace(world.context, items=ports)
        world.start(work_items={**SECTION, **changes})
        return cls(world, sides["legacy"], sides["candidate"], tracker)

    def put(self, key: int | str, legacy: str, candidate: str, age: float | None = None) -> None:
        """An item on both sides, changed ``age`` seconds ago where that is known."""
        updated = None if age is None else self.world.context.timestamp - age
        self.legacy.put(key, legacy, updated)
        self.candidate.put(key, candidate, updated)

    def look(self, **options: Any) -> Reconciled:
        """One look by a test."""
        return reconcile_items(self.world.context, MIGRATION, actor="test", **options)

    def look_twice(self, **options: Any) -> Reconciled:
        """Two looks ten minutes apart: the second can tell what stays."""
        self.look(**options)
        self.world.wait(1 / 6)
        return self.look(**options)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of all entries of a kind."""
        found = self.world.ledger.entries(MIGRATION)
        return [entry.payload for entry in found if entry.kind == kind]

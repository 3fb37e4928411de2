"""Work items in one process, with the contract of the real ones."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any

from switchover.ports import Item, ItemChange, ItemKey


class InMemoryItemStore:
    """A side's items. :meth:`put` plays the system that works on them."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items = {item.key: item for item in items}
        #: Key -> why the database refuses to change it.
        self.refuses: dict[ItemKey, str] = {}

    def put(self, key: ItemKey, state: str, updated: float | None = None) -> None:
        """Make an item, or move it."""
        self._items[key] = Item(key, state, updated, stamp=updated)

    def drop(self, key: ItemKey) -> None:
        """Delete an item."""
        del self._items[key]

    @property
    def states(self) -> dict[ItemKey, str]:
        """Key -> state."""
        return {key: item.state for key, item in self._items.items()}

    def items(self) -> Generator[Item, None, None]:
        """All items, ascending by key."""
        yield from sorted(self._items.values(), key=lambda item: item.key)

    def find(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        """Those of ``keys`` that are there."""
        return {key: self._items[key] for key in keys if key in self._items}

    def set_states(self, changes: Sequence[ItemChange]) -> list[str]:
        """Make each change whose item is as it was seen."""
        return [self._set_state(change) for change in changes]

    def _set_state(self, change: ItemChange) -> str:
        key = change.item.key
        there = self._items.get(key)
        if there != change.item or there.stamp != change.item.stamp:
            return "changed"
        if key in self.refuses:
            return self.refuses[key]
        self._items[key] = replace(there, state=change.state)
        return ""


class InMemoryItemTracker:
    """What was seen, and the claims that :meth:`hold` plays."""

    def __init__(self) -> None:
        self._held: set[tuple[str, ItemKey]] = set()
        self._kept: dict[str, str] = {}

    def hold(self, migration: str, *keys: ItemKey) -> None:
        """Let live claims hold these items, and no others."""
        self._held = {(migration, key) for key in keys}

    def forget(self) -> None:
        """Lose what was remembered, as Redis may."""
        self._kept.clear()

    def in_flight(self, migration: str, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Those of ``keys`` that a live claim holds."""
        return frozenset(key for key in keys if (migration, key) in self._held)

    def recall(self, migration: str) -> dict[str, Any] | None:
        """What was remembered last."""
        kept = self._kept.get(migration)
        return None if kept is None else json.loads(kept)

    def remember(self, migration: str, document: dict[str, Any], seconds: float) -> None:
        """Keep ``document``; time is the test's."""
        self._kept[migration] = json.dumps(document)

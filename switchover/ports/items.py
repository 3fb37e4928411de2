"""Work items on which both systems keep a state (T13)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

#: What names a work item, the same on both sides.
ItemKey = int | str


@dataclass(frozen=True, slots=True)
class Item:
    """A work item as one side keeps it. ``updated`` is the time of its last change in seconds
    since the Unix epoch, None where it is not known; ``stamp`` the same as it is stored."""

    key: ItemKey
    state: str
    updated: float | None = None
    stamp: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ItemChange:
    """``item``, if it is still as it was seen, shall be in ``state``."""

    item: Item
    state: str


class ItemStore(Protocol):
    """The work items of one side (T13).

    Every method raises ``DependencyUnavailable`` when the database does not answer, and
    ``InputError`` when the plan names what is not there or can't be compared.
    """

    def items(self) -> Generator[Item, None, None]:
        """All items, ascending by key: numbers by value, text by its code points. Read in
        pieces; close it when it is left before its end."""

    def find(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        """Those of ``keys`` that are there."""

    def set_states(self, changes: Sequence[ItemChange]) -> list[str]:
        """Make each change whose item is as it was seen, each for itself. Gives an answer for
        each: empty when it was made, ``changed`` when the item was different, otherwise why
        the database refused."""


class ItemTracker(Protocol):
    """What is known of work items between two looks. Losing it delays, and does no harm."""

    def in_flight(self, migration: str, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Those of ``keys`` that a live claim holds."""

    def recall(self, migration: str) -> dict[str, Any] | None:
        """What was remembered last; None when it was forgotten."""

    def remember(self, migration: str, document: dict[str, Any], seconds: float) -> None:
        """Keep a JSON document for so many seconds."""

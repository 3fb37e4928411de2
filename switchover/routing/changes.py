"""Routing changes for those who must see every one of them: replayed, or one explicit resync."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from switchover.connection import open_client, reaching_redis, redis_key, text
from switchover.errors import InputError
from switchover.routing.scripts import AFTER

#: The id to begin with: before the first change.
BEGINNING = "0-0"

_LARGEST = 2**64


@dataclass(frozen=True, slots=True)
class RoutingChange:
    """One write of the routing document, which is JSON text. Ids only grow."""

    id: str
    epoch: int
    document: str


@dataclass(frozen=True, slots=True)
class Resync:
    """What was missed can't be told; this is in force instead: no ``document``, epoch 0, where
    Redis holds none."""

    epoch: int
    document: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What came after an id: every change, or a ``resync`` in the place of all of them.

    ``last`` is the id to ask after next.
    """

    changes: tuple[RoutingChange, ...]
    resync: Resync | None
    last: str


class Changes:
    """The routing changes of one migration, in Redis or Valkey.

    ``address`` is a URL or a ready client. Routers do not need this: they follow the newest
    document, whatever came before it.

        changes, last = Changes(url, "mood"), BEGINNING
        while True:
            batch = changes.after(last)
            last = batch.last
    """

    def __init__(self, address: Any, migration: str) -> None:
        self._address, self.migration = address, migration
        self._opened: Any = None

    def after(self, last: str = BEGINNING, limit: int = 100) -> Batch:
        """The changes after the id ``last``, oldest first and at most ``limit`` of them.

        A resync where one of them may be missing: ``last`` was trimmed from the stream, or
        never was in it, as after Redis lost its data; or one is unreadable. Who has seen
        nothing yet, and finds an empty Redis, has missed nothing that could be known. Ids name
        milliseconds, and a Redis that lost its data is taken to need longer to come back.
        ``DependencyUnavailable`` when Redis can't be reached.
        """
        if limit < 1:
            raise InputError(f"limit is {limit}; ask for one change or more")
        place = _place(last)
        # The id itself is asked for too: as long as it is there, so is all that follows.
        asked = "-" if place in (None, (0, 0)) else last
        with reaching_redis(self._address):
            if self._opened is None:
                self._opened = open_client(self._address)
            entries, newest, deleted, missing, epoch, document = self._opened.eval(
                AFTER,
                2,
                redis_key(self.migration, "routing"),
                redis_key(self.migration, "changes"),
                asked,
                limit + 1,
            )
        newest, document = text(newest) or BEGINNING, text(document)
        found = [_change(*entry) for entry in entries]
        if place == (0, 0):
            # Nothing was ever trimmed, and no document is older than the stream.
            exact = missing == 0 or (newest == BEGINNING and not document)
        elif entries and text(entries[0][0]) == last:
            exact, found = True, found[1:]
        else:
            # Where all was trimmed, the one given last is still known.
            exact, found = place == _place(newest), []
        changes = tuple(change for change in found[:limit] if change is not None)
        if (
            exact
            and place is not None
            and (_place(text(deleted)) or (0, 0)) <= place
            and len(changes) == min(limit, len(found))
        ):
            return Batch(changes, None, changes[-1].id if changes else last)
        return Batch((), Resync(int(text(epoch) or 0), document or None), newest)


def _place(entry: str) -> tuple[int, int] | None:
    """An id ``milliseconds-sequence`` as numbers; ``None`` for what no stream ever gave."""
    if not re.fullmatch(r"[0-9]{1,20}-[0-9]{1,20}", entry):
        return None
    milliseconds, _, sequence = entry.partition("-")
    place = int(milliseconds), int(sequence)
    return place if max(place) < _LARGEST else None


def _change(entry: Any, fields: list[Any]) -> RoutingChange | None:
    """``None`` for an entry that the store's scripts did not write."""
    named = dict(zip(map(text, fields[::2]), map(text, fields[1::2]), strict=True))
    try:
        return RoutingChange(text(entry), int(named["epoch"]), named["document"])
    except (KeyError, ValueError):
        return None

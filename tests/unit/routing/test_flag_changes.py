from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from switchover.machine.snapshot import Snapshot
from switchover.routing.flags import FlagTable
from switchover.routing.held import Change, HeldDocument
from switchover.routing.snapshot import Table

pytestmark = pytest.mark.req("T5")

FLAGS: dict[str, dict[str, Any]] = {
    "base": {},
    "middle": {"requires": {"base": "on"}},
    "top": {"requires": {"middle": "on"}},
    "theirs": {"follows_split": True},
    "beside": {"requires": {"theirs": "on"}},
    "apart": {},
}


class Told:
    """A held document and the changes it told of."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.document = HeldDocument("mood", self.install)
        self.take(1, 5_000, FLAGS)
        self.changes.clear()

    def install(self, table: Table, flags: Mapping[str, FlagTable], change: Change | None) -> None:
        self.changes += [change] if change else []

    def take(self, epoch: int, split: int, flags: dict[str, dict[str, Any]]) -> None:
        self.document.take(Snapshot("mood", epoch, "gradual", split, flags=flags).to_json())


def test_changed_flag_takes_along_what_requires_it() -> None:
    """However indirectly: whoever caches an evaluation must drop it."""
    told = Told()
    told.take(2, 5_000, FLAGS | {"base": {"split": 0}})
    assert told.changes == [Change("document", 2, ("base", "middle", "top"))]


def test_changed_split_takes_along_what_requires_the_candidates_flags() -> None:
    """The candidate's flags change with the split, and with them those that require one."""
    told = Told()
    told.take(2, 6_000, FLAGS)
    assert told.changes == [Change("document", 2, ("beside", "theirs"))]


def test_falling_back_and_returning_tell_of_the_same_flags() -> None:
    """What goes off with a silent Redis comes back with it."""
    told = Told()
    told.document.let_go()
    told.document.take(Snapshot("mood", 1, "gradual", 5_000, flags=FLAGS).to_json())
    assert told.changes == [
        Change("stale", 1, ("beside", "theirs")),
        Change("back", 1, ("beside", "theirs")),
    ]

"""A recorder ships at leisure while all is well, and soon when failures come in a row."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from switchover.judge.block import Block
from switchover.observe.cell import STREAK, Cell
from switchover.observe.haste import Haste
from switchover.observe.recorder import Recorder

#: Longer than any test may take: nothing is shipped for the time alone.
NEVER = 3600.0
PATIENCE = 10.0


class Shelf:
    """Where blocks arrive, and an event that says so."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.came = threading.Event()

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        self.blocks += [Block.from_json(payload) for payload in payloads]
        self.came.set()

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None: ...

    def say(self, migration: str, heartbeat: Any) -> None: ...


@pytest.mark.req("R3")
def test_failures_in_a_row_are_shipped_at_once_with_all_that_was_counted() -> None:
    """Nobody waits for the interval; good ones go along, so that no selection is shipped."""
    shelf = Shelf()
    with Recorder("demo", flush_every=NEVER, destination=shelf) as recorder:
        for good in (True,) * 20 + (False,) * STREAK:
            recorder.record("success_rate", good, system="candidate")
        recorder.record("success_rate", True, system="legacy")
        assert shelf.came.wait(PATIENCE)
    counts = {"candidate": [0, 0], "legacy": [0, 0]}
    for block in shelf.blocks:
        counts[block.system][0] += block.n
        counts[block.system][1] += block.bad
    assert counts == {"candidate": [20 + STREAK, STREAK], "legacy": [1, 0]}


@pytest.mark.req("R3")
def test_one_event_that_may_never_happen_is_shipped_at_once() -> None:
    """A single isolation violation is enough to roll back, so it is enough to hurry."""
    shelf = Shelf()
    with Recorder("demo", flush_every=NEVER, destination=shelf) as recorder:
        recorder.count("isolation_violations", 0, system="candidate")
        assert not shelf.came.wait(0.3)
        recorder.count("isolation_violations", 1, system="candidate")
        assert shelf.came.wait(PATIENCE)


@pytest.mark.req("O6")
def test_single_failures_among_good_ones_wait_for_their_interval() -> None:
    """A service that always fails a little is not shipped twice a second."""
    shelf = Shelf()
    recorder = Recorder("demo", flush_every=NEVER, destination=shelf).start()
    for number in range(3000):
        recorder.record("success_rate", number % 3 == 0, system="candidate")
    assert not shelf.came.wait(0.3)
    assert recorder.close()
    assert sum(block.n for block in shelf.blocks) == 3000


@pytest.mark.req("O6")
def test_a_streak_is_broken_by_a_good_one() -> None:
    """It is told from counts that are kept anyway: a good observation does nothing for it."""
    cell, told = Cell(0), []
    for good in (False, False, True, False, False, False, False, True, False):
        cell.n += 1
        if not good:
            cell.bad += 1
            told.append(cell.failing())
    assert told == [False, False, False, False, True, True, False]


@pytest.mark.req("O6")
def test_haste_is_said_once_between_two_shipments() -> None:
    """A burst of a million failures leaves one nudge, and a closed recorder collects none."""
    closing = threading.Event()
    haste = Haste(closing)
    for _ in range(1000):
        haste.hurry()
    assert haste._nudges.qsize() == 1
    closing.set()
    assert haste.wait(NEVER)
    for _ in range(1000):
        haste.hurry()
    assert haste._nudges.qsize() == 0
    haste.begin_afresh()
    haste.hurry()
    assert haste._nudges.qsize() == 1

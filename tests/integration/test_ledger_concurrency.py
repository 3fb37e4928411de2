"""Several processes write one ledger: each step has one winner, each block one place."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import pytest

from switchover.errors import LostRace
from switchover.judge.block import Block
from switchover.ledger import SqlLedger, upgrade, verify
from switchover.machine.event import Noted
from switchover.ports import Effect
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
STEPS = 15
# The parent's engines are not used by the children: each makes its own.
_PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def _together(work: Callable[[int], Any], count: int = 2) -> list[Any]:
    """Run ``work`` in ``count`` processes that start at the same moment; gives their answers."""
    barrier = _PROCESSES.Barrier(count)

    def child(number: int, pipe: Connection) -> None:
        barrier.wait(30)
        pipe.send(work(number))

    pipes, children = [], []
    for number in range(count):
        ours, theirs = _PROCESSES.Pipe(duplex=False)
        process = _PROCESSES.Process(target=child, args=(number, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a child that dies is the end of its pipe
        pipes.append(ours)
        children.append(process)
    answers = [pipe.recv() for pipe in pipes]
    for process in children:
        process.join(30)
    assert [process.exitcode for process in children] == [0] * count
    return answers


@pytest.mark.req("INV1")
@pytest.mark.timeout(60)
def test_every_revision_has_one_winner_among_processes(url: str) -> None:
    """Two processes of three threads race for fifteen steps: one wins each, all others hear so."""
    upgrade(url)
    ledger = SqlLedger(url)
    begin_migration(ledger)
    ledger.close()

    def race(process: int) -> list[tuple[int, str, bool]]:
        mine = SqlLedger(url)
        told: list[tuple[int, str, bool]] = []

        def run(name: str) -> None:
            for expected in range(1, STEPS + 1):
                effect = Effect(f"{name} at {expected}", "slack", {})
                try:
                    mine.append(
                        "mood", expected, Noted(1.0, "race", name), at=NOON, actor=name,
                        effects=[effect],
                    )  # fmt: skip
                    told.append((expected, name, True))
                except LostRace:
                    told.append((expected, name, False))

        threads = [threading.Thread(target=run, args=(f"{process}.{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    told = [row for answer in _together(race) for row in answer]
    assert len(told) == 6 * STEPS
    winners = {expected: name for expected, name, won in told if won}
    assert Counter(expected for expected, _, won in told if won) == dict.fromkeys(
        range(1, STEPS + 1), 1
    )
    entries = ledger.entries("mood", after=1)
    assert [entry.actor for entry in entries] == [winners[n] for n in range(1, STEPS + 1)]
    assert {effect["key"] for effect in ledger.effects("mood")} == {
        f"{name} at {expected}" for expected, name in winners.items()
    }
    assert verify(ledger) == []


@pytest.mark.req("INV1")
@pytest.mark.timeout(60)
def test_collecting_in_two_processes_folds_every_block_once(url: str) -> None:
    """Overlapping deliveries of both add up to each block once."""
    upgrade(url)
    ledger = SqlLedger(url)
    begin_migration(ledger)
    ledger.close()

    def fold(known: dict[str, Any] | None, blocks: Any) -> dict[str, Any]:
        return {"n": (known or {"n": 0})["n"] + sum(block.n for block in blocks)}

    def collect(_: int) -> int:
        mine = SqlLedger(url)
        fresh = 0
        for start in range(0, 100, 10):
            batch = [
                Block(f"b{n}", "mood", "agreement", "pair", float(n), 1.0, 3)
                for n in range(start, start + 20)
            ]
            fresh += mine.ingest("mood", batch, f"{start}-0", fold).fresh
        return fresh

    assert sum(_together(collect)) == 110
    assert ledger.evidence("mood") == {"n": 330}


@pytest.mark.req("K6")
@pytest.mark.timeout(60)
def test_upgrading_at_once_from_several_processes_is_safe(url: str) -> None:
    """Four processes bring one empty database up to date; all succeed."""

    def run(_: int) -> bool:
        upgrade(url)
        return True

    assert _together(run, 4) == [True] * 4
    ledger = SqlLedger(url)
    begin_migration(ledger)
    assert verify(ledger) == []

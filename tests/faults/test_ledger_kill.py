"""SIGKILL in the middle of writing: what was answered is kept, what was not is whole or absent."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from switchover.judge.block import Block
from switchover.ledger import SqlLedger, upgrade, verify
from switchover.machine.event import Held, Noted, Resumed
from switchover.ports import Effect
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KILLS = 15
_EVENTS = (Held(1.0, "w", "?"), Resumed(1.0, "w", "!"), Noted(1.0, "t", "x"))
_PROCESSES = multiprocessing.get_context("fork")  # a new interpreter for each would be slow


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    upgrade(url)
    ledger = SqlLedger(url, b"key")
    begin_migration(ledger)
    ledger.close()  # no connection is open while a child is forked
    return url


def _fold(known: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
    seen = known or {"n": 0}
    return {"n": seen["n"] + sum(block.n for block in blocks)}


def _step(ledger: SqlLedger, revision: int) -> None:
    """Append the entry after ``revision`` with two effects, and collect three blocks."""
    event = _EVENTS[(revision - 1) % len(_EVENTS)]
    effects = [Effect(f"{part} of {revision + 1}", "slack", {}) for part in ("one", "two")]
    ledger.append("mood", revision, event, at=NOON, actor="w", effects=effects)
    blocks = [
        Block(f"{revision}.{n}", "mood", "agreement", "pair", float(n), 1.0, 7) for n in range(3)
    ]
    ledger.ingest("mood", blocks, f"{revision}-0", _fold)


def _check(url: str) -> int:
    """All that is stored belongs together; gives the revision."""
    ledger = SqlLedger(url, b"key")
    assert verify(ledger) == []  # includes: the state is the fold of the entries
    assert [effect["key"] for effect in ledger.effects("mood")] == [
        f"{part} of {entry.revision}"
        for entry in ledger.entries("mood", after=1)
        for part in ("one", "two")
    ]
    stored = sum(row["n"] for row in ledger.rates("mood", "agreement"))
    assert (ledger.evidence("mood") or {"n": 0})["n"] == stored
    cursor = int(ledger.cursor("mood").removesuffix("-0") or 0)
    assert f"{cursor}.0" in _block_ids(ledger) if cursor else not stored
    revision = ledger.read("mood").state.revision
    ledger.close()
    return revision


def _block_ids(ledger: SqlLedger) -> set[str]:
    with ledger.engine.connect() as connection:
        return set(connection.exec_driver_sql("SELECT id FROM blocks").scalars())


def _write(url: str, pipe: Connection) -> None:
    """Take steps for ever; tell the revision after each answer."""
    ledger = SqlLedger(url, b"key")
    revision = ledger.read("mood").state.revision
    while True:
        _step(ledger, revision)
        revision += 1
        pipe.send(revision)


def _killed(url: str, chance: random.Random) -> int:
    """Let a child write for a few steps, kill it at some instant, give what it last told."""
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    child = _PROCESSES.Process(target=_write, args=(url, theirs), daemon=True)
    child.start()
    theirs.close()
    told = ours.recv()
    began = time.monotonic()
    told = ours.recv()
    took = time.monotonic() - began
    time.sleep(chance.uniform(0.0, 1.5 * took))  # anywhere in a step, however fast the machine
    child.kill()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    while ours.poll():
        try:
            told = ours.recv()
        except EOFError:
            break
    return int(told)


@pytest.mark.req("INV4")
@pytest.mark.req("INV1")
def test_a_writer_killed_at_random_leaves_a_whole_record(url: str) -> None:
    """After each of fifteen kills all that was answered is there, and belongs together."""
    chance = random.Random(20260105)
    for _ in range(KILLS):
        told = _killed(url, chance)
        assert _check(url) >= told, "an answered step is lost"


def _step_until(url: str, count: int) -> None:
    """Take one step, and die just before the database hears its ``count``-th command."""
    ledger = SqlLedger(url, b"key")
    revision = ledger.read("mood").state.revision
    left = count

    def die(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlalchemy_event.listen(ledger.engine, "before_cursor_execute", die)
    sqlalchemy_event.listen(ledger.engine, "commit", die)
    _step(ledger, revision)


@pytest.mark.req("INV4")
@pytest.mark.req("INV1")
def test_a_writer_killed_before_any_command_leaves_a_whole_record(url: str) -> None:
    """Every statement and every commit of an append and a collection, one after the other."""
    count, exitcode = 0, -signal.SIGKILL
    while exitcode == -signal.SIGKILL:
        count += 1
        child = _PROCESSES.Process(target=_step_until, args=(url, count), daemon=True)
        child.start()
        child.join(30)
        assert child.exitcode is not None, "the writer hangs"
        exitcode = child.exitcode
        _check(url)
    assert exitcode == 0
    assert count > 10, "the deaths did not reach into the transactions"

"""Recorders that are killed, repeated and trimmed: what SQL holds is what was recorded, less what
is told as lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from switchover.clock import SystemClock
from switchover.engine import losses as engine_losses
from switchover.engine.assess import lost
from switchover.engine.collect import collect
from switchover.engine.context import Context
from switchover.engine.losses import Losses
from switchover.engine.start import start
from switchover.judge import heartbeat as heartbeats
from switchover.judge.block import Tally, tally
from switchover.judge.heartbeat import Heartbeat
from switchover.ledger import SqlLedger, upgrade
from switchover.observe import stream as block_stream
from switchover.observe.recorder import Recorder
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.testing.routing import InMemoryRoutingStore

PROCESSES = 8
FLUSH = 0.1
_FORK = multiprocessing.get_context("fork")


class Watched(RedisBlockStream):
    """Tells its parent process what it shipped."""

    def __init__(self, url: str, shipped: Any, place: int) -> None:
        super().__init__(url)
        self.shipped, self.place = shipped, place

    def say(self, migration: str, heartbeat: Heartbeat) -> None:
        super().say(migration, heartbeat)
        self.shipped[self.place] = heartbeat.upto


class Migration:
    """A started migration on a real SQL database and a real Redis."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self.name, self.url = f"kill-{uuid4().hex[:12]}", redis_url
        database = f"sqlite:///{directory / 'ledger.sqlite'}"
        upgrade(database)
        self.ledger, self.stream = SqlLedger(database), RedisBlockStream(redis_url)
        unused: Any = None
        self.context = Context(self.ledger, InMemoryRoutingStore(), self.stream, SystemClock(),
                               unused, unused, unused)  # fmt: skip
        document = {
            "switchover": 1, "migration": self.name, "title": "Kill",
            "systems": {"legacy": {"version": "1", "url": "http://127.0.0.1:1"},
                        "candidate": {"version": "2", "url": "http://127.0.0.1:2"}},
            "request_key": {"field": "id"},
            "checks": [{"name": "up", "kind": "health"}],
            "stages": [{"kind": "checks"}, {"kind": "canary", "percent": 100, "bake": "1h"}],
            "gates": [{"metric": "success_rate", "at_least": "90%"}],
        }  # fmt: skip
        plan = LoadedPlan(plan=restore_plan(document), directory=directory, files=(), source="",
                          digest=digest(document), document=document)  # fmt: skip
        start(self.context, plan, actor="carl")

    def collected(self) -> Tally:
        """What SQL holds of the metric after a collection."""
        collect(self.context, self.name)
        look = tally(self.ledger.blocks(self.name, 0.0, float("inf")))
        return look.get("success_rate", {}).get("candidate", Tally())

    def losses(self) -> Losses:
        return lost(self.context.open(self.name), self.ledger.evidence(self.name))


@pytest.fixture
def migration(tmp_path: Path, redis_url: str) -> Iterator[Migration]:
    migration = Migration(tmp_path, redis_url)
    yield migration
    migration.ledger.close()


def run(name: str, url: str, place: int, recorded: Any, shipped: Any, rounds: int) -> None:
    """Record one good in two, and write down each before the next; 0 rounds are for ever."""
    stream = Watched(url, shipped, place)
    with Recorder(name, destination=stream, flush_every=FLUSH) as recorder:
        while not rounds or recorded[place] < rounds:
            recorder.record("success_rate", recorded[place] % 2 == 0, "candidate")
            recorded[place] += 1
            if recorded[place] % 20 == 0:
                time.sleep(0.001)


def crew(migration: Migration, rounds: int) -> tuple[list[Any], Any, Any]:
    recorded, shipped = _FORK.RawArray("q", PROCESSES), _FORK.RawArray("q", PROCESSES)
    workers = [
        _FORK.Process(
            target=run,
            args=(migration.name, migration.url, place, recorded, shipped, rounds),
            daemon=True,
        )
        for place in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    return workers, recorded, shipped


@pytest.mark.req("O1")
@pytest.mark.timeout(120)
def test_killed_processes_lose_at_most_what_they_had_not_shipped_and_it_is_told(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is killed at a moment of its own while the collector works: of what it recorded, all
    that was shipped is in SQL once, and that it ended without a word is counted."""
    monkeypatch.setattr(heartbeats, "LEAST", 0.0)
    monkeypatch.setattr(engine_losses, "LEAST", 0.0)
    chance = random.Random(20260105)
    workers, recorded, shipped = crew(migration, rounds=0)
    while not all(shipped):
        migration.collected()
    for worker in workers:
        time.sleep(chance.uniform(0.0, 2 * FLUSH))
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        migration.collected()
    found = migration.collected()
    # A kill may come between a shipment and the word that it arrived, hence two bounds.
    assert sum(shipped) <= found.n <= sum(recorded) + PROCESSES
    assert found.bad <= found.n / 2 + PROCESSES
    while migration.losses().unsigned < PROCESSES:
        migration.collected()
    told = migration.losses()
    assert (told.unsigned, told.interval, told.seen, told.lost) == (PROCESSES, FLUSH, found.n, 0)
    assert migration.stream.heartbeats(migration.name) == []


@pytest.mark.req("O1")
@pytest.mark.timeout(120)
def test_blocks_of_many_processes_merge_and_a_clean_exit_loses_nothing(
    migration: Migration,
) -> None:
    """Eight processes with the same metric: the sum is exact, and all have signed off."""
    workers, recorded, _ = crew(migration, rounds=3_001)
    while any(worker.is_alive() for worker in workers):
        migration.collected()
    assert list(recorded) == [3_001] * PROCESSES
    assert migration.collected() == Tally(3_001 * PROCESSES, 1_500 * PROCESSES)
    migration.collected()
    assert (migration.losses().text, migration.losses().seen) == ("", 3_001 * PROCESSES)
    assert migration.stream.heartbeats(migration.name) == []


@pytest.mark.req("O1")
@pytest.mark.timeout(120)
def test_collectors_at_work_together_tell_of_no_loss_that_was_none(migration: Migration) -> None:
    """Recorders come and go while four collect: a slow one, whose heartbeats are old, does not
    take a recorder that another has settled and forgotten for one whose blocks are all lost."""
    over, found = threading.Event(), []
    heard = RedisBlockStream.heartbeats
    chance = random.Random(20260105)

    class Slow(RedisBlockStream):
        def heartbeats(self, migration: str) -> list[Heartbeat]:
            said = heard(self, migration)
            time.sleep(chance.uniform(0.0, 0.02))
            return said

    context = replace(migration.context, stream=Slow(migration.url))

    def work() -> None:
        while not over.is_set():
            found.append(collect(context, migration.name).fresh)

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(work) for _ in range(4)]
        for number in range(80):
            with Recorder(migration.name, migration.url, flush_every=3600) as recorder:
                for good in (True, False, number % 2 == 0):
                    recorder.record("success_rate", good, "candidate")
        over.set()
        for task in tasks:
            task.result()
    assert migration.collected() == Tally(240, 120)
    migration.collected()
    assert (migration.losses().text, migration.losses().seen) == ("", 240)
    evidence = migration.ledger.evidence(migration.name)
    assert evidence is not None
    assert evidence["recorders"]["live"] == {}


@pytest.mark.req("O1")
def test_whole_delivery_that_comes_again_changes_nothing(migration: Migration) -> None:
    """Also after the first one was collected, trimmed and settled."""
    payloads: list[str] = []

    class Kept(RedisBlockStream):
        def append(self, migration: str, blocks: Iterable[str]) -> None:
            payloads.extend(blocks)
            super().append(migration, payloads)

    with Recorder(migration.name, destination=Kept(migration.url)) as recorder:
        for number in range(300):
            recorder.record("success_rate", number % 3 != 0, "candidate")
            recorder.flush()
    first = migration.collected()
    evidence = migration.ledger.evidence(migration.name)
    migration.stream.append(migration.name, payloads)
    assert migration.collected() == first == Tally(300, 100)
    settled = migration.ledger.evidence(migration.name)
    assert evidence is not None
    assert settled is not None
    assert settled["judge"] == evidence["judge"]
    assert (migration.losses().lost, migration.losses().seen) == (0, 300)


@pytest.mark.req("O1")
@pytest.mark.parametrize("goes_on", [True, False])
def test_overflow_of_the_stream_is_missed_to_the_observation(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """What was trimmed before anybody collected it is told, whether its recorder went on after
    the overflow or nothing but its sign-off is left of it."""
    monkeypatch.setattr(block_stream, "BLOCKS_KEPT", 100)
    total = 0
    with Recorder(migration.name, migration.url, flush_every=3600) as recorder:
        for number in range(700):
            for _ in range(number % 5 + 1):
                recorder.record("success_rate", True, "candidate")
                total += 1
            recorder.flush()
    if not goes_on:
        migration.stream.discard(migration.name, -60.0)
    found = migration.collected()
    told = migration.losses()
    assert (found.n > 0) is goes_on
    assert told.lost > 0
    assert (told.seen, told.seen + told.lost) == (found.n, total)
    assert f"{told.lost:,} of {total:,} recorded observations" in told.text


@pytest.mark.req("O1")
def test_what_a_recorder_dropped_itself_is_missed(migration: Migration) -> None:
    """After a long outage the oldest blocks are gone: counted by both sides alike."""
    away = True

    class Away(RedisBlockStream):
        def append(self, migration: str, payloads: Iterable[str]) -> None:
            RedisBlockStream("redis://127.0.0.1:1/0" if away else url).append(migration, payloads)

    url = migration.url
    recorder = Recorder(migration.name, destination=Away(url), keep=3)
    for number in range(10):
        for _ in range(number + 1):
            recorder.record("success_rate", True, "candidate")
        assert not recorder.flush()
    away = False
    assert recorder.close()
    assert migration.collected() == Tally(8 + 9 + 10, 0)
    assert recorder.lost == 7
    assert migration.losses().lost == sum(range(1, 8))

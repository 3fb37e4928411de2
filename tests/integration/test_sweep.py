"""Sweeps and advances at the same time, in processes of their own, on PostgreSQL and Valkey."""

from __future__ import annotations

import gc
import multiprocessing
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.start import start
from switchover.engine.sweep import sweep
from switchover.engine.work import record_work
from switchover.judge.block import Block
from switchover.ledger import SqlLedger, upgrade, verify
from switchover.observe.stream import RedisBlockStream
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult
from switchover.wiring import build_context, load_settings

_PROCESSES = multiprocessing.get_context("fork")
NAMES = [f"s{number:02d}" for number in range(24)]
BAD, READY = NAMES[:6], NAMES[6:12]


def plan_of(migration: str) -> LoadedPlan:
    """Checks, then canary stages that bake for no time worth mentioning."""
    document = {
        "switchover": 1, "migration": migration, "title": migration,
        "systems": {
            "legacy": {"version": "1", "url": "http://127.0.0.1:9"},
            "candidate": {"version": "2", "url": "http://127.0.0.1:9"},
        },
        "request_key": {"field": "id"},
        "checks": [{"name": "up", "kind": "health"}],
        "stages": [
            {"kind": "checks"},
            {"kind": "canary", "percent": 10, "bake": "1ms"},
            {"kind": "canary", "percent": 100, "bake": "1h"},
        ],
        "gates": [{"name": "success", "metric": "success_rate", "at_least": "90%"}],
        "judgement": {"look_every": "1ms"},
    }  # fmt: skip
    return LoadedPlan(
        plan=restore_plan(document), directory=Path.cwd(), files=(), source="",
        digest=digest(document), document=document,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, fresh_redis_url: str, postgres_database: str) -> dict[str, str]:
    """Where everything is; the ledger's tables are there."""
    upgrade(postgres_database)
    return {
        "SWITCHOVER_STATE_DIR": str(tmp_path),
        "SWITCHOVER_INCIDENTS_DIR": str(tmp_path / "incidents"),
        "SWITCHOVER_DATABASE_URL": postgres_database,
        "SWITCHOVER_REDIS_URL": fresh_redis_url,
    }


@pytest.fixture
def context(settings: dict[str, str]) -> Iterator[Context]:
    """The engine of this process."""
    made = build_context(load_settings(settings))
    yield made
    assert isinstance(made.ledger, SqlLedger)
    made.ledger.close()


def begin(context: Context, names: list[str]) -> None:
    """Start each, and enter its first stage with traffic."""
    for name in names:
        start(context, plan_of(name), actor="carl")
        fine = [CheckResult("up", True, "fine", 0.0)]
        record_work(context, name, "checks", fine, actor="test")
        assert take_step(context, name, actor="test").did


def ship(context: Context, settings: dict[str, str], name: str, bad: int, tag: str = "a") -> None:
    """A look of traffic."""
    snapshot = context.routing.read(name)
    assert snapshot is not None
    blocks = [
        Block(f"{name}:{system}:{tag}", name, "success_rate", system, context.timestamp, 0.001,
              2000, bad if system == "candidate" else 0, epoch=snapshot.epoch)
        for system in ("legacy", "candidate")
    ]  # fmt: skip
    stream = RedisBlockStream(settings["SWITCHOVER_REDIS_URL"])
    stream.append(name, [block.to_json() for block in blocks])


def _run(settings: dict[str, str], works: list[str], go: Any, answers: Any) -> None:
    context = build_context(load_settings(settings))
    go.wait(30)
    for work in works:
        if work == "sweep":
            found = sweep(context, actor="monitor")
            answers.put(("sweep", [n for n, o in found.looks.items() if o.did], found.errors))
        else:
            outcome = take_step(context, work, actor="test")
            answers.put(("step", [work] if outcome.did else [], {}))


@pytest.mark.req("P10", "INV1", "INV5")
def test_sweeps_and_advances_at_the_same_time_do_each_thing_once(
    context: Context, settings: dict[str, str]
) -> None:
    """Three processes sweep while two advance: one rollback each, one step each, chains whole."""
    begin(context, NAMES)
    for name in NAMES:
        ship(context, settings, name, bad=1500 if name in BAD else 0)
    sweep(context, actor="monitor")  # so that the advancers find evidence
    for name in BAD:
        assert context.open(name).state.phase == "rolled_back"
    for name in NAMES[12:18]:
        ship(context, settings, name, bad=1900, tag="b")
    go, answers = _PROCESSES.Event(), _PROCESSES.Queue()
    works = [["sweep"] * 3] * 3 + [READY] * 2
    children = [
        _PROCESSES.Process(target=_run, args=(settings, work, go, answers)) for work in works
    ]
    for child in children:
        child.start()
    go.set()
    told = [answers.get(timeout=60) for _ in range(sum(map(len, works)))]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert [errors for _, _, errors in told if errors] == []
    stepped = Counter(name for kind, did, _ in told if kind == "step" for name in did)
    assert stepped == dict.fromkeys(READY, 1)
    for name in NAMES:
        kinds = Counter(entry.kind for entry in context.ledger.entries(name))
        rolled_back = name in BAD or name in NAMES[12:18]
        assert kinds["rolled_back"] == int(rolled_back), name
        assert kinds["stage_entered"] == (2 if name in READY else 1), name
        routing = context.routing.read(name)
        assert routing is not None
        assert routing.split == (0 if rolled_back else 10_000 if name in READY else 1000)
        keys = [row["key"] for row in context.ledger.effects(name)]
        assert len(keys) == len(set(keys))
        assert verify(context.ledger, name) == []  # type: ignore[arg-type]


@pytest.mark.req("P10", "O1")
def test_no_block_is_counted_twice_by_sweeps_at_the_same_time(
    context: Context, settings: dict[str, str]
) -> None:
    """What four processes collect together is what was shipped."""
    names = NAMES[:8]
    begin(context, names)
    for name in names:
        ship(context, settings, name, bad=0)
        ship(context, settings, name, bad=20, tag="b")
    go, answers = _PROCESSES.Event(), _PROCESSES.Queue()
    children = [
        _PROCESSES.Process(target=_run, args=(settings, ["sweep"], go, answers)) for _ in range(4)
    ]
    for child in children:
        child.start()
    go.set()
    assert all(answers.get(timeout=60)[2] == {} for _ in children)
    for child in children:
        child.join(30)
    for name in names:
        sums = context.ledger.tallies(name, 1)
        assert {(each.system, each.tally.n, each.tally.bad) for each in sums} == {
            ("legacy", 4000, 0), ("candidate", 4000, 20),
        }  # fmt: skip


@pytest.mark.req("P10")
@pytest.mark.timeout(180)
def test_memory_is_flat_over_a_thousand_sweeps(context: Context, settings: dict[str, str]) -> None:
    """After a warm-up, sweeps leave nothing behind, in Python's heap or the process."""
    begin(context, NAMES[:1])
    ship(context, settings, NAMES[0], bad=0)

    def sweeps(count: int) -> None:
        for _ in range(count):
            assert len(sweep(context, actor="monitor", threads=2).looks) == 1

    sweeps(100)
    heaps, processes = [], []
    for _ in range(4):
        tracemalloc.start()
        sweeps(20)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        sweeps(30)
        gc.collect()
        heaps.append(tracemalloc.get_traced_memory()[0] - before)
        tracemalloc.stop()
        sweeps(250)
        processes.append(resident())
    assert min(heaps) < 20_000, heaps
    assert processes[-1] - processes[0] < 3_000_000, processes


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

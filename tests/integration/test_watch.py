"""`switchover watch` as processes of their own, on real servers and without Prefect."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from switchover import Recorder, Router
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.start import start
from switchover.engine.watchers import watched_by
from switchover.ledger import upgrade
from switchover.machine.event import RolledBack
from switchover.machine.state import Phase
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.routing.guard_beats import RedisGuards
from switchover.testing.embedded import Postgres, Valkey
from switchover.wiring import build_context, load_settings
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
PROGRAM = "from switchover.cli.main import main; main()"
SLUG = "guarded"
PLAN: dict[str, Any] = {
    "switchover": 1,
    "migration": SLUG,
    "title": "Guarded",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "stages": [{"kind": "canary", "percent": 100, "bake": "1h"}],
    "gates": [{"metric": "success_rate"}],
}

#: Starts a guard; its lines are read in the background.
Command = Callable[..., "Guarding"]


class Guarding:
    """A guard's process and the events it told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.events = process, list[dict[str, Any]]()
        threading.Thread(target=self._read, daemon=True).start()
        assert eventually(lambda: bool(self.events) or process.poll() is not None)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    started: list[subprocess.Popen[str]] = []

    def begin(database: str, redis_url: str, *options: str) -> Guarding:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SWITCHOVER_")}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "watch", "--json", "--every", "0.2", *options],
            stdout=subprocess.PIPE, text=True,
            env={
                **kept, "PYTHONPATH": str(ROOT), "SWITCHOVER_DATABASE_URL": database,
                "SWITCHOVER_REDIS_URL": redis_url, "PREFECT_API_URL": "http://127.0.0.1:9/api",
                "SWITCHOVER_STATE_DIR": str(tmp_path),
                "SWITCHOVER_INCIDENTS_DIR": str(tmp_path / "incidents"),
            },
        )  # fmt: skip
        started.append(process)
        return Guarding(process)

    yield begin
    for process in started:
        process.kill()
        process.wait(30)


def candidate_serves(database: str, redis_url: str, directory: Path) -> Context:
    """A migration whose candidate serves everything."""
    upgrade(database)
    context = build_context(
        load_settings(
            {
                "SWITCHOVER_DATABASE_URL": database,
                "SWITCHOVER_REDIS_URL": redis_url,
                "SWITCHOVER_STATE_DIR": str(directory),
                "SWITCHOVER_INCIDENTS_DIR": str(directory / "incidents"),
            }
        )
    )
    plan = LoadedPlan(
        plan=restore_plan(PLAN), directory=directory, files=(), source="", digest=digest(PLAN),
        document=PLAN,
    )  # fmt: skip
    start(context, plan, actor="carl")
    take_step(context, SLUG, actor="carl")
    return context


def fail_until_turned(redis_url: str) -> bool:
    """Serve bad answers by a real router and recorder until the candidate serves no more."""
    with (
        Router(SLUG, redis_url) as router,
        Recorder(SLUG, redis_url, epoch=lambda: router.epoch) as recorder,
    ):
        if not eventually(lambda: router.route("k").system == "candidate"):
            return False

        def turned() -> bool:
            system = router.route("k").system
            recorder.record("success_rate", system == "legacy", system=system)
            time.sleep(0.01)
            return system == "legacy"

        return eventually(turned)


@pytest.mark.req("R1", "R3", "R8", "INV5")
@pytest.mark.timeout(180)
def test_three_guards_and_a_total_failure_give_one_rollback(
    command: Command, postgres_database: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """By real processes on PostgreSQL and Valkey, with Prefect down: traffic is back, one entry,
    each effect once, the report written, and everybody sees who watched."""
    context = candidate_serves(postgres_database, fresh_redis_url, tmp_path)
    ready = tmp_path / "ready"
    guards = [
        command(postgres_database, fresh_redis_url, "--port", "0", "--ready-file", str(ready)),
        *(command(postgres_database, fresh_redis_url) for _ in range(2)),
    ]
    assert eventually(ready.exists)
    beats = RedisGuards(fresh_redis_url)
    assert eventually(lambda: len(beats.alive()) == 3)
    assert watched_by(beats, SLUG).startswith("watched by 3 guards, last sweep ")
    url = guards[0].events[0]["listening"]
    assert httpx.get(url + "/ready").json()["status"] == "watching"
    assert fail_until_turned(fresh_redis_url)

    def complete() -> bool:
        case = context.open(SLUG)
        entries = context.ledger.entries(SLUG)
        rows = context.ledger.effects(SLUG)
        measured = any(entry.kind == "rollback_measured" for entry in entries)
        reports = [row for row in rows if row["kind"] == "incident_report"]
        done = reports and all(row["status"] == "done" for row in reports)
        return case.state.phase is Phase.ROLLED_BACK and measured and bool(done)

    assert eventually(complete)
    entries = context.ledger.entries(SLUG)
    assert [entry.kind for entry in entries].count(RolledBack.kind) == 1
    incidents = {entry.payload["incident"] for entry in entries if "incident" in entry.payload}
    assert len(incidents) == 1
    assert [guard.end() for guard in guards] == [0, 0, 0]
    assert sum(len(guard.told("acted")) for guard in guards) >= 1
    assert all(guard.told("ended") for guard in guards)
    assert not beats.alive()
    assert not ready.exists()


@pytest.mark.req("R8")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("server", ["sql", "redis"])
def test_a_guard_outlives_its_servers(
    command: Command, tmp_path: Path, server: str, fresh_redis_url: str, postgres_database: str
) -> None:
    """It tells the trouble once, stays healthy but not ready, and judges when they are back."""
    redis_url, database = fresh_redis_url, postgres_database
    started: Postgres | Valkey
    if server == "sql":
        started = Postgres(tmp_path / "postgres").start()
        database = started.create_database("guarded")
    else:
        started = Valkey(tmp_path / "valkey").start()
        redis_url = started.url
    try:
        candidate_serves(database, redis_url, tmp_path)
        guard = command(database, redis_url, "--port", "0")
        url = guard.events[0]["listening"]
        assert eventually(lambda: httpx.get(url + "/ready").status_code == 200)
        started.stop()
        assert eventually(lambda: httpx.get(url + "/ready").status_code == 503)
        assert httpx.get(url + "/health").status_code == 200
        assert eventually(lambda: len(guard.told("trouble")) == 1)
        assert httpx.get(url + "/ready").json()["trouble"]
        started.start()
        assert eventually(lambda: bool(guard.told("recovered")))
        assert len(guard.told("trouble")) == 1
        assert eventually(lambda: httpx.get(url + "/ready").status_code == 200)
        assert fail_until_turned(redis_url)
        assert guard.end() == 0
    finally:
        started.stop()


@pytest.mark.req("R3")
def test_a_single_sweep_for_those_who_have_a_scheduler(cli: Any, plan: Path) -> None:
    """`--once` sweeps, performs effects and says by its exit code how it went."""
    assert cli("start", plan).code == 0
    assert cli("watch", "--once", "--json").code == 0
    misspelt = cli("watch", "--once", "demo", "dmeo")
    assert (misspelt.code, "there is no migration 'dmeo' yet" in misspelt.err) == (0, True)
    assert "'demo'" not in misspelt.err
    assert "watched by no guard" in " ".join(cli("status", "demo").out.split())
    assert cli("watch", "--once", "Not-A-Name").code == 2
    assert cli("watch", "--every", "0").code == 2


@pytest.mark.req("R3")
def test_a_single_sweep_before_anything_was_started_is_no_fault(cli: Any) -> None:
    """A scheduler may call it from the first day on, as a resident guard may run."""
    assert cli("watch", "--once").code == 0


@pytest.mark.req("R3", "R8")
def test_a_fault_among_the_effects_is_no_fault_of_the_sweep(
    cli: Any, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep is done; what went wrong is said in one line, and exit code 1."""

    def broken(_context: Context) -> None:
        raise RuntimeError("unforeseen")

    assert cli("start", plan).code == 0
    monkeypatch.setattr("switchover.engine.drain.drain", broken)
    monkeypatch.setattr("logging.Logger.exception", lambda *_: None)  # it would tell where
    answer = cli("watch", "--once")
    assert answer.code == 1
    assert "RuntimeError: unforeseen" in answer.err


@pytest.mark.req("R8")
def test_a_single_sweep_without_redis_names_it(
    cli: Any, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependency that is down is exit code 3, and one line."""
    assert cli("start", plan).code == 0
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", "redis://127.0.0.1:9/0")
    answer = cli("watch", "--once")
    assert answer.code == 3
    assert "Redis" in answer.err

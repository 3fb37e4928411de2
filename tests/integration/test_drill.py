"""Drills on a live Redis: the whole way back is walked, and nothing of it stays."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from switchover.cli.main import run
from switchover.engine import drill as module
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.engine.drill import drill
from switchover.engine.drills import drill_history
from switchover.engine.reconcile import reconcile
from switchover.engine.start import start
from switchover.errors import Refused
from switchover.ledger import SqlLedger, upgrade
from switchover.machine.state import Phase
from switchover.plan.load import LoadedPlan, digest, restore_plan, stored_plan
from switchover.reporting.runbook import runbook
from switchover.routing.router import Router
from switchover.wiring import build_context, load_settings

pytestmark = [pytest.mark.req("R7"), pytest.mark.timeout(120)]


class Healthy(BaseHTTPRequestHandler):
    """A legacy that is well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def legacy() -> Iterator[str]:
    """Where legacy answers."""
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def context(tmp_path: Path, fresh_redis_url: str, sqlite_url: str) -> Iterator[Context]:
    """The engine."""
    upgrade(sqlite_url)
    made = build_context(load_settings({
        "SWITCHOVER_STATE_DIR": str(tmp_path), "SWITCHOVER_DATABASE_URL": sqlite_url,
        "SWITCHOVER_REDIS_URL": fresh_redis_url,
        "SWITCHOVER_INCIDENTS_DIR": str(tmp_path / "incidents"),
    }))  # fmt: skip
    yield made
    assert isinstance(made.ledger, SqlLedger)
    made.ledger.close()


def begin(context: Context, legacy: str, percent: float = 1, **sections: Any) -> None:
    """A migration in its first canary, with people to page."""
    document = {
        "switchover": 1, "migration": "shop", "title": "Shop",
        "systems": {"legacy": {"version": "1", "url": legacy},
                    "candidate": {"version": "2", "url": "http://127.0.0.1:9"}},
        "request_key": {"field": "id", "kind": "integer"},
        "stages": [{"kind": "canary", "percent": percent, "bake": "1h"},
                   {"kind": "canary", "percent": 100, "bake": "1h"}],
        "gates": [{"metric": "success_rate", "at_least": "90%"}],
        "notify": {"slack_channel": "#shop"}, **sections,
    }  # fmt: skip
    loaded = LoadedPlan(
        plan=restore_plan(document), directory=Path.cwd(), files=(), source="",
        digest=digest(document), document=document,
    )  # fmt: skip
    start(context, loaded, actor="carl")
    assert take_step(context, "shop", actor="carl").action == "enter"


def left_over(url: str) -> list[str]:
    """Keys in Redis that are not the migration's own."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return [key for key in client.scan_iter() if "{shop}" not in key]


def test_a_drill_measures_every_part_and_leaves_nothing_behind(
    context: Context, legacy: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """A synthetic migration is rolled back by the judge; the real one is as before."""
    begin(context, legacy)
    effects = [effect["key"] for effect in context.ledger.effects("shop")]
    with Router("shop", fresh_redis_url) as router:
        assert router.wait_ready()
        context.routing.wait_acknowledged("shop", 2, 5.0)
        done = drill(context, "shop", actor="ada")
        assert router.mode == "gradual"
    assert done.ok, done.reason
    assert None not in (done.detection, done.decision, done.propagation, done.validation)
    assert (done.routers, done.own) == (3, 1)
    case = context.open("shop")
    assert (case.state.phase, case.state.split, case.state.drill) == (Phase.RUNNING, 100, None)
    assert case.state.drilled == done.at
    assert [effect["key"] for effect in context.ledger.effects("shop")] == effects
    assert [state.migration for state in context.ledger.migrations()] == ["shop"]
    assert context.ledger.evidence("shop") is None
    assert left_over(fresh_redis_url) == []
    assert list((tmp_path / "drills").iterdir()) == []
    shown = drill_history(context.ledger.entries("shop"))
    assert shown is not None
    assert shown["trend"] == "1 of the last 1 succeeded"


def test_a_real_drill_turns_the_migrations_own_routers_and_brings_them_back(
    context: Context, legacy: str, fresh_redis_url: str
) -> None:
    """Their callers are on legacy meanwhile; afterwards the split is what it was."""
    begin(context, legacy, drill={"target": "real"})
    modes = []
    with Router("shop", fresh_redis_url) as router:
        router.on_change(lambda change: modes.append(router.mode))
        assert router.wait_ready()
        context.routing.wait_acknowledged("shop", 2, 5.0)
        done = drill(context, "shop", actor="ada")
        spread = context.routing.wait_acknowledged("shop", context.open("shop").state.epoch, 5.0)
        assert router.mode == "gradual"
    assert done.ok, done.reason
    assert done.real
    assert spread.complete
    assert "legacy_only" in modes
    assert context.open("shop").state.split == 100


def test_a_real_drill_is_refused_above_the_plans_share(context: Context, legacy: str) -> None:
    """More than that is a rollback and no rehearsal."""
    begin(context, legacy, percent=5, drill={"target": "real"})
    before = context.open("shop").state.revision
    with pytest.raises(Refused, match=r"serves 5 %, and a real drill is allowed up to 1 %"):
        drill(context, "shop", actor="ada")
    assert context.open("shop").state.revision == before


def test_a_probe_that_fails_makes_the_drill_fail(context: Context, monkeypatch: Any) -> None:
    """Legacy that does not answer could not take over; nobody is paged for it."""
    monkeypatch.setattr(module, "VALIDATION", 0.0)
    begin(context, "http://127.0.0.1:9", drill={})
    done = drill(context, "shop", actor="ada")
    assert not done.ok
    assert "probe legacy answers" in done.reason
    state = context.open("shop").state
    assert (state.drilled, state.incident, state.inquiries) == (0.0, "", ())
    assert not [e for e in context.ledger.effects("shop") if "incident" in e["kind"]]


def test_the_command_and_status_show_what_was_measured(
    context: Context, legacy: str, fresh_redis_url: str, sqlite_url: str, tmp_path: Path,
    monkeypatch: Any, capsys: Any,
) -> None:  # fmt: skip
    """One drill as JSON, then the history of all, and the same in `status`."""
    begin(context, legacy)
    monkeypatch.setenv("SWITCHOVER_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("SWITCHOVER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", fresh_redis_url)
    assert run(["drill", "shop", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert told["total"] == pytest.approx(
        told["detection"] + told["decision"] + told["propagation"]
    )
    assert str(told["at"]).endswith("+00:00")
    assert run(["drill", "shop", "--history", "--json"]) == 0
    history = json.loads(capsys.readouterr().out)
    assert [row["drill"] for row in history["drills"]] == [told["drill"]]
    assert run(["status", "shop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["drills"] == history
    assert run(["status", "shop"]) == 0
    assert "1 of the last 1 succeeded" in capsys.readouterr().out


@pytest.mark.req("R9")
def test_the_runbook_is_written_beside_the_incidents(
    context: Context, legacy: str, tmp_path: Path
) -> None:
    """A start orders it, and the outbox writes the very page that `plan runbook` prints."""
    begin(context, legacy)
    drain(context)
    plan = context.open("shop").record.plan
    written = (tmp_path / "runbooks" / "shop.md").read_text(encoding="utf-8")
    assert written == runbook(stored_plan(plan.document, plan.directory, plan.digest))


def _die_in_the_middle(settings: dict[str, str], reached: Any) -> None:
    module.LONGEST = 1.0

    def hang(_: float) -> None:
        reached.set()
        time.sleep(60)

    drill(build_context(load_settings(settings)), "shop", actor="ada", sleep=hang)


def test_what_a_killed_drill_leaves_is_removed_by_the_next_look_and_drill(
    context: Context, legacy: str, fresh_redis_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Reconcile brings the split back, and the next drill removes keys and files."""
    begin(context, legacy, drill={"target": "real"})
    processes = multiprocessing.get_context("spawn")
    reached = processes.Event()
    settings = {"SWITCHOVER_STATE_DIR": str(tmp_path), "SWITCHOVER_DATABASE_URL": sqlite_url,
                "SWITCHOVER_REDIS_URL": fresh_redis_url}  # fmt: skip
    child = processes.Process(target=_die_in_the_middle, args=(settings, reached))
    child.start()
    assert reached.wait(60)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert context.open("shop").state.split == 0
    assert left_over(fresh_redis_url)
    time.sleep(1.1)
    assert "ended a drill that was cut off" in reconcile(context, "shop")
    state = context.open("shop").state
    assert (state.split, state.drill, state.drilled) == (100, None, 0.0)
    restored = context.routing.read("shop")
    assert restored is not None
    assert (restored.mode, restored.split) == ("gradual", 100)
    with Router("shop", fresh_redis_url) as router:
        assert router.wait_ready()
        done = drill(context, "shop", actor="bo")
    assert done.ok, done.reason
    assert left_over(fresh_redis_url) == []
    assert list((tmp_path / "drills").iterdir()) == []

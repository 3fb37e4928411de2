"""Triggers with a real service, real recorders, Valkey, SQLite and PostgreSQL."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from switchover import Recorder
from switchover.clock import ManualClock
from switchover.engine.advance import take_step
from switchover.engine.context import Context
from switchover.engine.probing import Probing
from switchover.engine.sweep import sweep
from switchover.engine.work import record_work
from switchover.ports import CheckResult
from switchover.wiring import build_context, load_settings
from tests.integration.sources.running import serving

pytestmark = pytest.mark.req("R3")

PLAN = """\
switchover: 1
migration: demo
title: The demonstration
systems:
  legacy: {{version: "1", url: "http://127.0.0.1:9"}}
  candidate: {{version: "2", url: "{url}"}}
request_key: {{field: id}}
checks:
  - {{name: up, kind: health}}
stages:
  - {{kind: checks}}
  - {{kind: canary, percent: 10, bake: 1h}}
  - {{kind: canary, percent: 100, bake: 1h}}
gates:
  - {{metric: success_rate, at_least: 5%}}
triggers:
  red:
    - {{name: golden path, probe: {{kind: http, name: order, system: candidate, path: /order}}}}
    - {{name: isolation, metric: isolation_violations, at_most: 0}}
"""


class Shop:
    """The candidate: well, unless the test breaks it."""

    def __init__(self) -> None:
        self.status, self.asked = 200, 0

    def page(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes, str]:
        self.asked += 1
        return self.status, b"{}", "application/json"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """Both databases."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def clock(cli: Any, shop: Shop) -> Iterator[ManualClock]:
    """A migration in its first canary stage, and the clock that guards go by."""
    with serving(shop.page) as port:
        Path("plan.yaml").write_text(
            textwrap.dedent(PLAN).format(url=f"http://127.0.0.1:{port}"), encoding="utf-8"
        )
        assert cli("start", "plan.yaml").code == 0
        context = build_context(load_settings())
        record_work(context, "demo", "checks", [CheckResult("up", True, "x", 0.1)], actor="t")
        assert take_step(context, "demo", actor="t").action == "enter"
        yield ManualClock(context.clock.now())


def guard(clock: ManualClock) -> Context:
    """What another process would build: connections and threads of its own."""
    return replace(build_context(load_settings()), clock=clock, probing=Probing(patience=20.0))


@pytest.mark.req("INV4")
def test_a_golden_path_is_down_across_restarts_and_two_guards(
    cli: Any, shop: Shop, clock: ManualClock
) -> None:
    """Every sweep is by two new processes at the same time. The path is asked once a turn, and
    rolls back when it was down for five minutes, by the answers that all of them wrote down."""
    sweep(guard(clock), actor="guard")
    assert shop.asked == 1
    shop.status = 503
    actions: list[str] = []
    for _ in range(12):
        clock.advance(timedelta(seconds=30))
        guards = [guard(clock), guard(clock)]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda each: sweep(each, actor="guard"), guards))
        assert [each.errors for each in found] == [{}, {}]
        actions += [look.action for each in found for look in each.looks.values()]
        if "roll_back" in actions:
            break
    # One when all was well, then failures from the first second to five minutes later.
    assert shop.asked == 12
    entries = build_context(load_settings()).ledger.entries("demo")
    (entry,) = [each for each in entries if each.kind == "rolled_back"]
    assert entry.payload["trigger"] == "red: golden path"
    assert "down for 5 min" in entry.payload["reason"]


def test_one_violation_that_a_real_recorder_counts_rolls_back(cli: Any, clock: ManualClock) -> None:
    """From the application to the rollback: one event among a thousand answers."""
    context = guard(clock)
    with Recorder("demo") as recorder:
        for _ in range(1000):
            recorder.record("isolation_violations", True, system="candidate")
    assert sweep(context, actor="guard").looks["demo"].action == "look"
    with Recorder("demo") as recorder:
        recorder.record("isolation_violations", False, system="candidate")
    assert sweep(context, actor="guard").looks["demo"].action == "roll_back"
    shown = cli("status", "demo", "--json").document
    assert (shown["phase"], shown["split"]) == ("rolled_back", 0)


def test_status_shows_how_triggers_stand(cli: Any, shop: Shop, clock: ManualClock) -> None:
    """Quiet, broken for a while, and unknown; and explain tells what they watch."""
    shop.status = 500
    sweep(guard(clock), actor="guard")
    levels = {
        each["trigger"]: each["level"]
        for each in cli("status", "demo", "--json").document["triggers"]
    }
    assert levels == {"golden path": "beyond", "isolation": "no data"}
    assert "golden path" in cli("status", "demo").out
    told = cli("plan", "explain", "plan.yaml").out
    assert "RED golden path: GET of the candidate /order" in " ".join(told.split())

"""Validation of a rollback by hand, with a real database, a real Valkey and a real service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from switchover.clock import ManualClock
from switchover.engine.roll_back import roll_back
from switchover.ports import Entry
from switchover.wiring import build_context, load_settings
from tests.eventually import eventually
from tests.integration.conftest import Cli
from tests.integration.sources.running import serving

pytestmark = pytest.mark.req("R4")

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; from switchover.cli.main import run; sys.exit(run(sys.argv[1:]))"
#: Says that it has begun, and goes on when it may.
SLOW = """\
import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.05)
"""
VALIDATION = """\
rollback:
  validation:
    functional:
      after: 10s
      probes:
        - {{name: order, kind: http, path: /order, expect: {{values: {{state: paid}}}}}}
        - {{name: smoke, kind: command, argv: ["{python}", slow.py]}}
"""


class Shop:
    """Legacy: well, unless the test breaks it."""

    def __init__(self) -> None:
        self.state = "paid"

    def page(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes, str]:
        return 200, b'{"state": "%s"}' % self.state.encode(), "application/json"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def back(
    cli: Cli, plan: Path, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    """The migration, rolled back half a minute ago; the functional wave is due since."""
    monkeypatch.setenv("SWITCHOVER_ALLOW_COMMANDS", sys.executable)
    (tmp_path / "slow.py").write_text(SLOW, "utf-8")
    with serving(shop.page) as port:
        text = plan.read_text("utf-8").replace("127.0.0.1:9", f"127.0.0.1:{port}")
        text = text.partition("rollback:")[0] + VALIDATION.format(python=sys.executable)
        plan.write_text(text, "utf-8")
        assert cli("start", plan).code == 0
        context = build_context(load_settings())
        then = ManualClock(context.clock.now() - timedelta(seconds=30))
        roll_back(
            replace(context, clock=then), "demo", actor="bo", trigger="person", reason="smoke"
        )
        yield cli


def recorded() -> list[Entry]:
    entries = build_context(load_settings()).ledger.entries("demo")
    return [entry for entry in entries if entry.kind == "wave_validated"]


def test_by_hand_what_is_due_is_asked_told_and_kept(back: Cli, tmp_path: Path) -> None:
    """Each probe with its answer, in the terminal, in the ledger and in the incident."""
    (tmp_path / "go").touch()
    answer = back("rollback", "demo", "--validate")
    assert answer.code == 0, answer.err
    assert "immediate: passed" in answer.out
    assert "  ✓ order: GET http://127.0.0.1:" in answer.out
    assert [(e.payload["wave"], e.payload["ok"]) for e in recorded()] == [
        ("immediate", True), ("functional", True),
    ]  # fmt: skip
    (order,) = [r for r in recorded()[1].payload["results"] if r["name"] == "order"]
    assert order["detail"]["status"] == 200
    incident = recorded()[0].payload["incident"]
    shown = back("incident", "show", incident).out
    for probe in ("legacy answers", "every router is on legacy", "order", "smoke"):
        assert probe in shown
    assert "no wave is due" in back("rollback", "demo", "--validate").out
    assert back("audit", "verify").code == 0


def test_a_wave_that_fails_exits_1_and_passes_when_it_is_mended(
    back: Cli, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong is told; the incident stays critical until the wave is repeated and passes."""
    (tmp_path / "go").touch()
    shop.state = "lost"
    monkeypatch.setattr("switchover.cli.validated.PATIENCE", 0.0)
    answer = back("rollback", "demo", "--validate", "--json")
    assert answer.code == 1
    waves = {wave["wave"]: wave for wave in answer.document["waves"]}
    assert waves["immediate"]["ok"]
    assert waves["functional"]["ok"] is None
    assert "state is 'lost', 'paid' expected" in waves["functional"]["sentence"]
    assert "functional does not pass" in answer.err
    assert len(recorded()) == 1
    shop.state = "paid"
    assert back("rollback", "demo", "--validate").code == 0
    assert recorded()[1].payload["ok"]


def test_validating_rolls_nothing_back(cli: Cli, plan: Path) -> None:
    """A running migration goes on; exit 4 says so."""
    cli("start", plan)
    answer = cli("rollback", "demo", "--validate")
    assert answer.code == 4
    assert "--validate rolls nothing back" in answer.err
    assert cli("status", "demo", "--json").document["phase"] == "running"


@pytest.mark.req("INV4")
def test_a_killed_validation_is_repeated_and_recorded_once(back: Cli, tmp_path: Path) -> None:
    """SIGKILL in the middle of a probe leaves no record; the next run makes one."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "rollback", "demo", "--validate"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert eventually((tmp_path / "begun").exists)
    finally:
        process.kill()
        process.communicate(timeout=10)
    before = [entry.payload["wave"] for entry in recorded()]
    assert "functional" not in before
    (tmp_path / "go").touch()
    assert back("rollback", "demo", "--validate").code == 0
    assert sorted(entry.payload["wave"] for entry in recorded()) == ["functional", "immediate"]
    assert back("audit", "verify").code == 0


def test_with_redis_down_validation_says_so(
    back: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows then whether routers have turned; the wave stays open."""
    (tmp_path / "go").touch()
    monkeypatch.setattr("switchover.cli.validated.PATIENCE", 0.0)
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", "redis://127.0.0.1:9/0")
    answer = back("rollback", "demo", "--validate", "--no-drain")
    assert answer.code == 1
    assert "Redis is unavailable" in answer.out
    assert [entry.payload["wave"] for entry in recorded()] == ["functional"]

"""Levels and steps of a rollback with real servers: HTTP, programs, Redis, SQL, and SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from switchover.clock import ManualClock, SystemClock
from switchover.engine.rollback_steps import GRACE, carry_out
from switchover.testing.stand_in import StandInServer
from switchover.wiring import build_context, load_settings

Cli = Callable[..., Any]
ROOT = Path(__file__).parents[2]
MAIN = "from switchover.cli.main import main; main()"


class Operations:
    """Systems that steps call: keeps every request; ``answers`` gives a status by path, and may
    wait. An idempotency key that was seen before applies nothing again."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.applied: list[str] = []
        self.answers: dict[str, Callable[[], int]] = {}
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                mine.requests.append((self.path, headers, json.loads(body) if body else None))
                status = mine.answers.get(self.path, lambda: 200)()
                key = headers.get("idempotency-key", "")
                if status == 200 and key and key not in mine.applied:
                    mine.applied.append(key)
                self.send_response(status)
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - the name is http.server's

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output for the test."""

        self._server = StandInServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _, _ in self.requests]

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def operations() -> Iterator[Operations]:
    """The systems behind the steps."""
    server = Operations()
    yield server
    server.stop()


def program(directory: Path, name: str, line: str) -> None:
    """A program of the plan's directory, that appends to ``log`` what it was told."""
    file = directory / name
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def begin(
    cli: Cli, plan: Path, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Start the plan with these levels; gives the file of what programs did."""

    def make(levels: str, more: str = "", name: str = "demo") -> Path:
        program(plan.parent, "apply", 'echo "$1 $SWITCHOVER_IDEMPOTENCY_KEY" >> log; exit ${2:-0}')
        monkeypatch.setenv("SWITCHOVER_ALLOW_COMMANDS", "./apply")
        monkeypatch.setenv("DEPLOY_TOKEN", "s3cret-token")
        text = plan.read_text().replace("migration: demo", f"migration: {name}")
        text = text.replace("rollback: {flags: [new-format]}\n", "")
        flags = (
            "flags: [{name: new-format}, {name: panel, component: panel}]\n"
            "rollback:\n  flags: [new-format]\n  levels:\n"
        )
        file = plan.with_name(f"{name}.yaml")
        file.write_text(text + more + flags + levels.replace("OPS", operations.url))
        answer = cli("start", file)
        assert answer.code == 0, answer.err
        return plan.parent / "log"

    return make


SERVICE = """\
    service:
      - name: cache
        method: configuration
        action: {kind: http, url: "OPS/flush", headers: {Authorization: env:DEPLOY_TOKEN},
                 body: {all: true}}
        probes: [{kind: http, name: ops answers, url: "OPS/well"}]
      - name: workers
        method: code
        action: {kind: command, argv: [./apply, v1]}
        reverse: {kind: command, argv: [./apply, v2]}
"""


@pytest.mark.req("R1", "R2")
def test_steps_follow_the_traffic_by_http_and_by_command(
    cli: Cli, begin: Any, operations: Operations
) -> None:
    """Each carries its key, the secret travels and is never shown, and the record verifies."""
    operations.answers["/well"] = lambda: 200
    log = begin(SERVICE)
    outcome = cli("rollback", "demo", "--json").document
    assert (outcome["recorded"], operations.paths, log.exists()) == (True, [], False), (
        "the command itself waits for no step"
    )
    waiting = cli("steps", "demo")
    assert (waiting.code, "steps are left: cache" in waiting.err) == (1, True)
    done = cli("steps", "demo", "--run", "--json")
    assert (done.code, done.document["sentence"]) == (0, "2 steps of the rollback ended well")
    incident = outcome["incident"]
    path, headers, body = operations.requests[0]
    assert (path, body) == ("/flush", {"all": True})
    assert headers["authorization"] == "s3cret-token"
    assert headers["idempotency-key"] == f"{incident}:service:cache"
    assert "x-switchover-shadow" not in headers
    assert log.read_text() == f"v1 {incident}:service:workers\n"
    history = cli("history", "demo", "--json").out
    assert "rollback_step_done" in history
    assert "s3cret-token" not in history
    shown = cli("incident", "show", incident).out
    assert "Step workers (service) done" in shown
    assert cli("audit", "verify").code == 0
    assert cli("steps", "demo", "--run").code == 0
    assert len(operations.requests) == 2, "nothing is done twice"


@pytest.mark.req("R2")
def test_a_dry_run_says_what_would_happen_and_touches_nothing(
    cli: Cli, begin: Any, operations: Operations, tmp_path: Path
) -> None:
    """Order, limits, programs, addresses and probes; ledger, routing and systems stay as they
    are."""
    log = begin(SERVICE + "    system:\n      - {name: dns, method: configuration, limit: 90s, "
                "action: {kind: command, argv: [other, x]}}\n")  # fmt: skip
    before = cli("history", "demo", "--json").out
    answer = cli("rollback", "demo", "--level", "system", "--dry-run")
    assert answer.code == 0
    for words in (
        "send all traffic of demo to legacy",
        "switches off new-format",
        "1. cache (configuration, at most 5 min)",
        f"POST {operations.url}/flush",
        "ops answers (http, at most 10 s)",
        "2. workers (code, at most 5 min)",
        "run ./apply v1",
        "1. dns (configuration, at most 1 min 30 s)",
        "warning: step dns may not run other here; add it to SWITCHOVER_ALLOW_COMMANDS",
        "Nothing was done.",
    ):
        assert words in answer.out, words
    assert "s3cret" not in answer.out
    document = cli("rollback", "demo", "--dry-run", "--json").document
    assert [step["name"] for step in document["steps"]] == ["cache", "workers"]
    assert document["steps"][0]["action"]["headers"] == {"Authorization": "env:DEPLOY_TOKEN"}
    assert (operations.requests, log.exists()) == ([], False)
    assert cli("history", "demo", "--json").out == before
    assert not (tmp_path / "incidents").exists()
    context = build_context(load_settings())
    assert context.routing.halted("demo") is None


@pytest.mark.req("R2")
def test_a_component_goes_back_on_the_command_line(
    cli: Cli, begin: Any, operations: Operations
) -> None:
    """Its flag is off in routing, the other is on, the migration is held, the steps run."""
    begin("    component:\n      panel: [{name: restart, method: code, "
          "action: {kind: http, url: OPS/panel}}]\n")  # fmt: skip
    wrong = cli("rollback", "demo", "--level", "component", "--component", "panl")
    assert (wrong.code, "its components: panel" in wrong.err) == (2, True)
    assert cli("rollback", "demo", "--level", "component").code == 2
    assert cli("rollback", "demo", "--level", "half").code == 2
    dry = cli("rollback", "demo", "--level", "component", "--component", "panel", "--dry-run")
    assert "switch off panel" in dry.out
    answer = cli("rollback", "demo", "--level", "component", "--component", "panel")
    assert (answer.code, "component panel of demo is off" in answer.out) == (0, True)
    routing = build_context(load_settings()).routing.read("demo")
    assert routing is not None
    assert routing.flags["panel"]["enabled"] is False
    assert routing.flags["new-format"].get("enabled", True) is True
    assert routing.mode == "legacy_only"
    assert cli("status", "demo", "--json").document["phase"] == "held"
    assert cli("steps", "demo", "--run").code == 0
    assert operations.paths == ["/panel"]


@pytest.mark.req("R2")
def test_the_system_goes_back_with_its_group(cli: Cli, begin: Any) -> None:
    """Every migration of the group is on legacy before the command ends."""
    group = "group: {name: shops}\n"
    begin("    service: []\n", group, name="other")
    log = begin("    system: [{name: dns, method: configuration, "
                "action: {kind: command, argv: [./apply, dns]}}]\n", group)  # fmt: skip
    answer = cli("rollback", "demo", "--level", "system", "--json")
    assert (answer.code, answer.document["group"]["detail"]["turned"]) == (0, ["other"])
    context = build_context(load_settings())
    for name in ("demo", "other"):
        document = context.routing.read(name)
        assert document is not None
        assert document.mode == "emergency_rollback"
    assert cli("steps", "demo", "--run").code == 0
    assert log.read_text().startswith("dns ")


@pytest.mark.req("R2")
def test_a_failed_step_is_told_and_people_settle_repeat_or_reverse_it(
    cli: Cli, begin: Any, operations: Operations
) -> None:
    """Exit 1 says what to do; each decision goes on record under a name."""
    operations.answers["/flush"] = lambda: 503
    log = begin(SERVICE)
    cli("rollback", "demo")
    failed = cli("steps", "demo", "--run")
    assert failed.code == 1
    assert "people are needed: step cache of level service failed" in failed.err
    assert "status 503" in failed.err
    assert cli("steps", "demo", "--retry", "cache").code == 1
    refused = cli("steps", "demo", "--reverse", "workers")
    assert (refused.code, "was not done" in refused.err) == (4, True)
    assert (
        cli("steps", "demo", "--settled", "cache", "-r", "flushed by hand", "--as", "ada").code == 0
    )
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["v1"]
    assert cli("steps", "demo", "--reverse", "workers").code == 0
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["v1", "v2"]
    assert "flushed by hand" in cli("steps", "demo").out
    shown = cli("status", "demo")
    assert "level service: 2 steps of the rollback ended well" in shown.out
    rollback = cli("status", "demo", "--json").document["rollback"]
    assert [(row["step"], row["state"], row["reversed"]) for row in rollback["steps"]] == [
        ("cache", "settled", ""), ("workers", "done", "done"),
    ]  # fmt: skip
    assert all(row["began"] and row["ended"] for row in rollback["steps"])
    assert [(row["level"], row["state"]) for row in rollback["levels"]] == [("service", "done")]
    assert [(row["wave"], row["state"]) for row in rollback["waves"]] == [("immediate", "asked")]
    earlier = cli("steps", "demo", "--incident", rollback["incident"], "--json").document
    assert earlier["rows"] == rollback["steps"]
    assert cli("steps", "demo", "--settled", "oops").code == 2


@pytest.mark.req("R2")
def test_a_step_that_fails_again_when_people_repeat_it_ends_with_one(
    cli: Cli, begin: Any, operations: Operations
) -> None:
    """Also where the next level went well, so that nothing is left to do by itself."""
    operations.answers["/flush"] = lambda: 503
    begin(SERVICE + "    system:\n      - {name: dns, method: code, "
          "action: {kind: command, argv: [./apply, dns]}}\n")  # fmt: skip
    cli("rollback", "demo")
    assert cli("steps", "demo", "--run").code == 0
    again = cli("steps", "demo", "--retry", "cache")
    assert (again.code, "step cache failed again" in again.err) == (1, True)
    assert "switchover steps demo --settled cache" in again.err


@pytest.mark.req("R2")
def test_a_program_that_nobody_allowed_or_that_hangs_fails_its_step(
    cli: Cli, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is kept, and a program outside the list does not start."""
    log = begin("    service:\n      - {name: a, method: code, on_failure: continue, "
                "action: {kind: command, argv: [touch, proof]}}\n      - {name: b, method: code, "
                "limit: 300ms, action: {kind: command, argv: [sleep, '60']}}\n")  # fmt: skip
    monkeypatch.setenv("SWITCHOVER_ALLOW_COMMANDS", "./apply,sleep")
    cli("rollback", "demo")
    answer = cli("steps", "demo", "--run", "--json")
    rows = {row["step"]: row for row in answer.document["rows"]}
    assert answer.code == 1
    assert "SWITCHOVER_ALLOW_COMMANDS" in rows["a"]["summary"]
    assert not (log.parent / "proof").exists()
    assert "did not end within 0.3 s" in rows["b"]["summary"]


@pytest.mark.req("R2", "INV4")
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_sigkill_between_steps_loses_none_and_repeats_only_what_may_be(
    cli: Cli, begin: Any, operations: Operations, repeatable: bool
) -> None:
    """The first step is not done again; the one that was under way runs again under the same key
    if it may, else people are asked; the third comes once."""
    arrived, go = threading.Event(), threading.Event()

    def hang() -> int:
        arrived.set()
        go.wait(60)
        return 200

    operations.answers["/b"] = hang
    begin("    service:\n" + "".join(
        f"      - {{name: {name}, method: configuration, repeatable: {str(repeatable).lower()}, "
        f"limit: 60s, action: {{kind: http, url: OPS/{name}}}}}\n" for name in "abc"
    ))  # fmt: skip
    incident = cli("rollback", "demo", "--json").document["incident"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MAIN, "steps", "demo", "--run"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        assert arrived.wait(60), "the second step began"
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    del operations.answers["/b"]
    go.set()
    early = cli("steps", "demo", "--run")
    assert (early.code, operations.paths) == (1, ["/a", "/b"]), "it may be running elsewhere"
    later = SystemClock().now() + timedelta(seconds=61 + GRACE)
    context = replace(build_context(load_settings()), clock=ManualClock(later))
    outcome = carry_out(context, "demo", incident, actor="carl")
    if repeatable:
        assert (outcome.frozen, operations.paths) == ("", ["/a", "/b", "/b", "/c"])
        assert [key.rsplit(":", 1)[1] for key in operations.applied] == ["a", "b", "c"]
    else:
        assert "nobody knows how it ended" in outcome.frozen
        assert operations.paths == ["/a", "/b"]
        assert cli("steps", "demo", "--settled", "b").code == 0
        assert operations.paths == ["/a", "/b", "/c"]

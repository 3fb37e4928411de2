"""The command line as a fixture, for every file that tests a verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from switchover.cli.main import run
from tests.integration.demo_plan import ASKING

PLAN = (
    ASKING
    + """\
gates:
  - {name: success, metric: success_rate, at_least: 90%}
  - {name: latency, metric: prediction_latency_p99, at_most: 200ms}
approvals: {approvers: [ada, bo], four_eyes: true, expires: 10h}
rollback: {flags: [new-format]}
"""
)
CLOSED = "127.0.0.1:9"


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Answer]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    return file


@pytest.fixture
def ledger_url(sqlite_url: str) -> str:
    """Where commands keep their ledger; a file may put another in its place."""
    return sqlite_url


@pytest.fixture
def cli(
    tmp_path: Path,
    ledger_url: str,
    fresh_redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """Run a command as operator carl; no error may ever be a traceback."""
    for name, value in {
        "SWITCHOVER_STATE_DIR": tmp_path / "state",
        "SWITCHOVER_DATABASE_URL": ledger_url,
        "SWITCHOVER_REDIS_URL": fresh_redis_url,
        "SWITCHOVER_INCIDENTS_DIR": tmp_path / "incidents",
        "SWITCHOVER_ACTOR": "carl",
        "PREFECT_API_URL": f"http://{CLOSED}/api",
        "COLUMNS": "80",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    # A Prefect that is not there is asked five times all the same, at once.
    monkeypatch.setattr("switchover.launcher.session.sleep", lambda seconds: None)

    def call(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert code in (0, 1, 2, 3, 4)
        assert (code == 0) or err.strip(), "a failure says why"
        return Answer(code, out, err)

    return call

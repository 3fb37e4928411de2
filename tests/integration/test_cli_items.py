"""`switchover items`: legacy on PostgreSQL, the candidate on SQLite, claims in a real Valkey."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from switchover.cli.main import run
from switchover.engine.compare_items import items_due
from switchover.engine.repair_items import watch_items
from switchover.routing.claims import Claims
from switchover.wiring import build_context, load_settings

pytestmark = pytest.mark.req("T13")

PLAN = textwrap.dedent("""\
    switchover: 1
    migration: demo
    title: The demonstration
    systems:
      legacy: {version: "1", url: "http://127.0.0.1:9"}
      candidate: {version: "2", url: "http://127.0.0.1:10"}
    request_key: {field: id}
    stages:
      - {kind: canary, percent: 100, bake: 1h}
    gates:
      - {metric: success_rate, at_least: 90%}
    work_items:
      legacy: {database: env:DESK, table: tickets, key: number, state: status, updated: changed}
      candidate: {database: env:AGENTS, table: work, key: ticket, state: state, updated: at}
      states: {completed: done}
      rules:
        - {legacy: done, candidate: pending, repair: use_legacy}
        - {legacy: open, candidate: completed, repair: use_candidate}
    """)
OLD = "2020-01-01 00:00:00"
DESK = [(1, "done"), (2, "open"), (3, "open"), (4, "done"), (5, "done")]
AGENTS = [(1, "completed"), (2, "completed"), (3, "failed"), (4, "pending")]


@pytest.fixture
def sides(postgres_database: str, tmp_path: Path) -> dict[str, sa.Engine]:
    """Both tables, with one item that agrees and four that don't."""
    sides = {"DESK": sa.create_engine(postgres_database),
             "AGENTS": sa.create_engine(f"sqlite:///{tmp_path / 'agents.sqlite'}")}  # fmt: skip
    with sides["DESK"].begin() as desk:
        desk.exec_driver_sql("CREATE TABLE tickets (number BIGINT PRIMARY KEY, status TEXT, "
                             "changed TIMESTAMPTZ)")  # fmt: skip
        for row in DESK:
            desk.exec_driver_sql("INSERT INTO tickets VALUES (%s, %s, %s)", (*row, f"{OLD}+00"))
    with sides["AGENTS"].begin() as agents:
        agents.exec_driver_sql(
            "CREATE TABLE work (ticket INTEGER PRIMARY KEY, state TEXT, at TEXT)"
        )
        for row in AGENTS:
            agents.exec_driver_sql("INSERT INTO work VALUES (?, ?, ?)", (*row, OLD))
    return sides


def states(sides: dict[str, sa.Engine]) -> list[tuple[int, str]]:
    """All states, legacy's first."""
    rows: list[tuple[int, str]] = []
    for name, query in (("DESK", "SELECT number, status FROM tickets ORDER BY 1"),
                        ("AGENTS", "SELECT ticket, state FROM work ORDER BY 1")):  # fmt: skip
        with sides[name].connect() as connection:
            rows += [(row[0], row[1]) for row in connection.exec_driver_sql(query)]
    return rows


Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(
    tmp_path: Path,
    fresh_redis_url: str,
    sides: dict[str, sa.Engine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """The migration started, and commands run as carl."""
    for name, value in {
        "SWITCHOVER_STATE_DIR": str(tmp_path / "state"),
        "SWITCHOVER_DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
        "SWITCHOVER_REDIS_URL": fresh_redis_url,
        "SWITCHOVER_ACTOR": "carl",
        "COLUMNS": "110",
        **{name: side.url.render_as_string(hide_password=False) for name, side in sides.items()},
    }.items():
        monkeypatch.setenv(name, value)
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    assert call("start", plan)[0] == 0
    return call


def test_disagreements_are_listed_and_nothing_is_changed(
    cli: Cli, sides: dict[str, sa.Engine]
) -> None:
    """A line for each, what the plan says to it, and exit 1."""
    before = states(sides)
    code, out, err = cli("items", "demo")
    rows = [line.split("  ") for line in out.splitlines()]
    told = [[cell.strip() for cell in row if cell.strip()] for row in rows][2:]
    assert (code, [(row[0], *row[1:3], *row[4:]) for row in told]) == (1, [
        ("2", "open", "completed", "2", "use candidate, by --repair"),
        ("3", "open", "failed", "none", "left to people"),
        ("4", "done", "pending", "1", "use legacy, by --repair"),
        ("5", "done", "missing", "none", "left to people"),
    ])  # fmt: skip
    assert err.startswith("demo: 5 items compared, 4 disagree")
    assert states(sides) == before
    assert "compared" not in cli("history", "demo")[1]


def test_repair_does_what_the_plan_says_and_tells_what_is_left(
    cli: Cli, sides: dict[str, sa.Engine]
) -> None:
    """On the right side, by that side's names; then only a person's decisions are left."""
    code, out, _ = cli("items", "demo", "--repair", "--json")
    document = json.loads(out)
    assert (code, document["left"]) == (1, 2)
    assert document["made"] == [
        {"key": 2, "outcome": "repaired"},
        {"key": 4, "outcome": "repaired"},
    ]
    now = dict(states(sides)[:5]), dict(states(sides)[5:])
    assert now[0] == {1: "done", 2: "done", 3: "open", 4: "done", 5: "done"}
    assert now[1] == {1: "completed", 2: "completed", 3: "failed", 4: "completed"}
    history = cli("history", "demo")[1]
    assert "carl" in history
    assert "2 repaired" in history
    assert "work items  2 disagreed at" in cli("status", "demo")[1]
    assert json.loads(cli("status", "demo", "--json")[1])["items"]["disagreements"] == 2
    with sides["DESK"].begin() as desk:
        desk.exec_driver_sql("DELETE FROM tickets WHERE number = 5")
        desk.exec_driver_sql("UPDATE tickets SET status = 'failed' WHERE number = 3")
    assert cli("items", "demo") == (0, "4 items compared, 0 disagree\n", "")
    assert cli("audit", "verify", "demo")[0] == 0


def test_what_is_claimed_or_fresh_is_left_alone(
    cli: Cli, sides: dict[str, sa.Engine], fresh_redis_url: str
) -> None:
    """Somebody works on one, and the other has just changed."""
    Claims("demo", fresh_redis_url).claim("4", "worker", "candidate")
    with sides["DESK"].begin() as desk:
        desk.exec_driver_sql("UPDATE tickets SET changed = now() WHERE number = 2")
    _, out, _ = cli("items", "demo", "--repair", "--json")
    document = json.loads(out)
    assert (document["findings"]["in_flight"], document["findings"]["settling"]) == (1, 1)
    assert document["made"] == []


def test_the_sweep_repairs_when_it_is_due(cli: Cli, sides: dict[str, sa.Engine]) -> None:
    """With the engine that flows build; a command's look counts too."""
    context = build_context(load_settings())
    assert items_due(context, "demo")
    done = watch_items(context, "demo", actor="monitor")
    assert (done.left, done.made) == (2, {2: "repaired", 4: "repaired"})
    assert not items_due(context, "demo")


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("AGENTS", "", 2, "variable AGENTS is not set"),
        ("AGENTS", "sqlite:////nowhere/x.sqlite", 3, "work items of candidate is unavailable"),
        ("DESK", "postgresql://ann:hunter2@127.0.0.1:9/x", 3, "work items of legacy"),
        ("SWITCHOVER_REDIS_URL", "redis://127.0.0.1:9/0", 3, "Redis is unavailable"),
    ],
)
def test_what_is_away_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: int, message: str
) -> None:
    """Exit 3 and one line, without a password; nothing is repaired on a guess."""
    monkeypatch.setenv(name, value)
    answer: Any = cli("items", "demo", "--repair")
    assert answer[0] == code
    assert message in answer[2]
    assert len(answer[2].splitlines()) == 1
    assert "hunter2" not in answer[2]

"""The command line against a real database and a real Valkey: every verb's answer and exit code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine

from switchover import Recorder
from switchover.engine.advance import take_step
from switchover.engine.collect import collect
from switchover.engine.work import record_work
from switchover.ledger import SqlLedger, schema
from switchover.machine.state import State
from switchover.ports import CheckResult
from switchover.testing.embedded import stack
from switchover.wiring import build_context, load_settings
from tests.integration.sources.running import serving

CLOSED = "127.0.0.1:9"

#: Runs a command; see the fixture.
Cli = Callable[..., Any]


@pytest.fixture
def running(cli: Cli, plan: Path) -> Cli:
    """The migration in its first canary stage, with evidence of a real recorder."""
    assert cli("start", plan).code == 0
    context = build_context(load_settings())
    record_work(context, "demo", "checks", [CheckResult("up", True, "x", 0.1)], actor="t")
    assert take_step(context, "demo", actor="t").action == "enter"
    with Recorder("demo") as recorder:
        for _ in range(2000):
            recorder.record("success_rate", True, system="candidate")
            recorder.record("prediction_latency_p99", 0.05, system="candidate")
    return cli


@pytest.fixture
def asked(running: Cli) -> Cli:
    """The migration waiting for approval of the last stage."""
    context = build_context(load_settings())
    collect(context, "demo")
    assert take_step(context, "demo", actor="carl").action == "ask"
    return running


@pytest.mark.req("K4")
def test_before_the_first_start_people_are_told_how_to_begin(cli: Cli, tmp_path: Path) -> None:
    """Lists are empty, names are unknown, and asking makes no file."""
    answer = cli("list")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "no migration yet; begin one with: switchover start PLAN\n"
    assert cli("list", "--json").out == ""
    assert cli("incident", "list").out == "no incident\n"
    for verb in ("status", "why", "history", "hold", "resume", "abort", "advance", "rollback"):
        answer = cli(verb, "demo")
        assert answer.code == 2, verb
        assert answer.err == "no migration yet; begin one with: switchover start PLAN\n", verb
    assert cli("audit", "verify").code == 2
    assert not (tmp_path / "ledger.sqlite").exists()


@pytest.mark.req("P2")
def test_starting_twice_is_starting_once(cli: Cli, plan: Path) -> None:
    """The same plan again changes nothing; another one is refused with exit 4."""
    first = cli("start", plan, "--json").document
    assert cli("start", plan, "--json").document == first
    edited = plan.read_text(encoding="utf-8").replace("percent: 10,", "percent: 20,")
    plan.write_text(edited, encoding="utf-8")
    refused = cli("start", plan)
    assert refused.code == 4
    assert "a plan can't change once started" in refused.err
    assert len(refused.err.splitlines()) == 1


@pytest.mark.req("P2")
def test_a_bad_plan_is_not_started(cli: Cli, plan: Path) -> None:
    """Exit 2 with FILE:LINE and one line a fault; `plan lint` answers the same with exit 1."""
    good = plan.read_text(encoding="utf-8")
    bad = good.replace("percent: 10", "percnt: 10").replace("kind: health", "kind: helth")
    plan.write_text(bad, encoding="utf-8")
    started, linted = cli("start", plan), cli("plan", "lint", plan)
    assert (started.code, linted.code) == (2, 1)
    assert started.err == linted.err
    assert f"{plan}:9:" in started.err
    document = cli("plan", "lint", plan, "--json").document
    assert not document["ok"]
    assert len(document["faults"]) == len(started.err.splitlines())
    assert cli("list").out.startswith("no migration yet")


@pytest.mark.req("O5")
def test_status_fits_a_narrow_terminal(running: Cli) -> None:
    """80 columns hold the table, and the evidence of the recorder is in it."""
    answer = running("status", "demo")
    assert answer.code == 0
    assert max(map(len, answer.out.split("success:")[0].splitlines())) <= 80
    assert "2,000" in answer.out
    document = running("status", "demo", "--json").document
    assert document["stage"] == "canary 10 %"
    assert {gate["n"] for gate in document["reading"]["gates"]} == {2000}


def test_every_reading_verb_has_a_json_form(running: Cli) -> None:
    """One document or JSON lines, and nothing else on either stream."""
    for arguments in (("list",), ("status", "demo"), ("why", "demo"), ("history", "demo"),
                      ("incident", "list"), ("audit", "verify"), ("audit", "export")):  # fmt: skip
        answer = running(*arguments, "--json")
        assert (answer.code, answer.err) == (0, ""), arguments
        assert all(isinstance(line, dict) for line in answer.lines), arguments


def test_people_see_words(running: Cli) -> None:
    """The human forms of the reading verbs."""
    assert "demo" in running("list").out
    assert running("why", "demo").out.strip()
    history = running("history", "demo")
    assert "stage entered" in history.out
    assert max(map(len, history.out.splitlines())) <= 80


def test_a_name_that_nobody_started_is_bad_input(running: Cli) -> None:
    """Exit 2 for every verb, with the name."""
    for verb in ("status", "why", "history", "hold", "resume", "abort", "advance", "rollback",
                 "approve", "reject"):  # fmt: skip
        answer = running(verb, "dmeo")
        assert answer.code == 2, verb
        assert "dmeo" in answer.err
        assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["../x", "", "größe", "a b", "Demo", "-x-", "a" * 64, "x\n"])
def test_what_is_no_name_is_bad_input(running: Cli, name: str) -> None:
    """Before anything is looked up."""
    for verb in ("status", "rollback", "hold"):
        assert running(verb, "--", name).code == 2


def test_a_brake_is_put_on_and_taken_off(running: Cli) -> None:
    """Resuming what is not held is refused with exit 4."""
    assert running("resume", "demo").code == 4
    held = running("hold", "demo", "--reason", "the [red] team looks")
    assert held.out == "demo is held.\n"
    assert running("hold", "demo", "--json").document["phase"] == "held"
    assert "[red]" in running("history", "demo").out
    assert running("resume", "demo", "--json").document["phase"] != "held"


def test_an_aborted_migration_is_over(running: Cli) -> None:
    """Aborting again is refused or changes nothing, and holding is refused."""
    assert running("abort", "demo", "--reason", "no more").out == "demo is aborted.\n"
    assert running("hold", "demo").code == 4


@pytest.mark.req("P6")
def test_only_an_approver_approves(asked: Cli) -> None:
    """A stranger and the requester are refused with 4, an approver is not, and once is enough."""
    stranger = asked("approve", "demo", "--as", "eve")
    assert stranger.code == 4
    assert "eve" in stranger.err
    answer = asked("approve", "demo", "--as", "ada", "--reason", "looks good", "--json")
    assert answer.code == 0
    document = answer.document
    assert (document["status"], document["approver"]) == ("approved", "ada")
    assert any("Prefect" in line for line in document["later"])
    assert asked("reject", "demo", "--as", "bo").code == 4


@pytest.mark.req("P6")
def test_a_rejection_holds(asked: Cli) -> None:
    """And the record says who and why."""
    assert asked("reject", "demo", "--as", "bo", "--reason", "not on a Friday").code == 0
    assert asked("status", "demo", "--json").document["phase"] == "held"
    assert "not on a Friday" in asked("history", "demo", "--json").out


@pytest.mark.req("P6")
def test_nothing_waits_for_a_decision(running: Cli) -> None:
    """Exit 4, as it may be right at another time."""
    answer = running("approve", "demo", "--as", "ada")
    assert answer.code == 4
    assert "approval" in answer.err


@pytest.mark.req("R1")
def test_a_rollback_leaves_an_incident(running: Cli, tmp_path: Path) -> None:
    """Asked twice it is one; it is listed, shown and written to a file."""
    first = running("rollback", "demo", "--reason", "bad feeling", "--json").document
    assert first["recorded"]
    again = running("rollback", "demo", "--json").document
    assert again["incident"] == first["incident"]
    (row,) = running("incident", "list", "--json").lines
    assert (row["incident"], row["migration"]) == (first["incident"], "demo")
    assert first["incident"] in running("incident", "list").out
    shown = running("incident", "show", first["incident"])
    assert "bad feeling" in shown.out
    report = running("incident", "show", first["incident"], "--json").document["report"]
    assert report.strip() == shown.out.strip()
    assert list((tmp_path / "incidents").glob("*.md"))
    assert running("incident", "show", "nothing").code == 2


@pytest.mark.req("INV7")
@pytest.mark.parametrize(
    "address", [f"postgresql://nobody@{CLOSED}/x", "sqlite:////proc/nowhere/ledger.sqlite"]
)
def test_a_rollback_needs_no_database(
    running: Cli, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Traffic goes back with exit 0, what is missing is said and completed afterwards."""
    with monkeypatch.context() as patch:
        patch.setenv("SWITCHOVER_DATABASE_URL", address)
        assert running("status", "demo").code in (2, 3)
        answer = running("rollback", "demo", "--reason", "now")
        assert answer.code == 0
        assert "demo is back on legacy" in answer.out
        assert "completes later: database is unavailable" in answer.out
    snapshot = build_context(load_settings()).routing.read("demo")
    assert snapshot is not None
    assert (snapshot.mode, snapshot.split) == ("emergency_rollback", 0)
    again = running("rollback", "demo", "--json").document
    assert again["recorded"]
    assert running("status", "demo", "--json").document["phase"] == "rolled_back"


@pytest.mark.req("INV7")
def test_a_rollback_without_redis_is_recorded(
    running: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing confirms that traffic has turned: exit 3 names Redis, and the record is there."""
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", f"redis://{CLOSED}/0")
    answer = running("rollback", "demo", "--json")
    assert answer.code == 3
    assert answer.document["recorded"]
    assert answer.err.startswith("Redis is unavailable")
    assert running("history", "demo", "--json").lines[-1]["kind"] == "rolled_back"


@pytest.mark.req("INV7")
def test_a_rollback_without_anything_says_so(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis and the database down: exit 3, both named, in one line."""
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", f"redis://{CLOSED}/0")
    monkeypatch.setenv("SWITCHOVER_DATABASE_URL", f"postgresql://nobody@{CLOSED}/x")
    answer = running("rollback", "demo")
    assert answer.code == 3
    assert "Redis" in answer.err
    assert "database" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.req("K6")
def test_deploying_brings_the_ledger_up_to_date(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update one command is enough: the tables first, then the flows that need them."""
    ledger = tmp_path / "ledger.sqlite"
    config = schema._config()
    engine = create_engine(f"sqlite:///{ledger}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    assert "run `switchover deploy`" in cli("list").err
    met: list[list[State]] = []
    monkeypatch.setattr(
        stack, "deploy", lambda *_: met.append(SqlLedger(f"sqlite:///{ledger}").migrations())
    )
    monkeypatch.chdir(Path(__file__).parents[2])
    with serving(lambda _: (200, b"true", "application/json")) as port:
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
        assert cli("deploy").code == 0
    assert met == [[]]
    assert cli("list").code == 0


def test_prefect_is_named_when_it_is_down(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advance and deploy need it: exit 3, in one line."""
    monkeypatch.chdir(Path(__file__).parents[2])
    for arguments in (("advance", "demo"), ("advance", "demo", "--json", "--no-wait"), ("deploy",)):
        answer = running(*arguments)
        assert answer.code == 3, answer
        assert answer.err.startswith("Prefect is unavailable")
        assert len(answer.err.splitlines()) == 1
        assert answer.out == ""


@pytest.mark.parametrize("address", ["garbage", "http://x", "redis://127.0.0.1:port/0"])
def test_an_address_that_is_none_is_bad_input(
    running: Cli, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Exit 2 with the setting to look at."""
    monkeypatch.setenv("SWITCHOVER_REDIS_URL", address)
    answer = running("status", "demo")
    assert answer.code == 2
    assert "is not a Redis address" in answer.err


@pytest.mark.req("K4")
def test_an_export_verifies_elsewhere(
    running: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written to a file and verified from it or from a pipe, and a later ledger against it."""
    assert running("audit", "verify").code == 0
    file = tmp_path / "export.jsonl"
    file.write_text(running("audit", "export").out, encoding="utf-8")
    assert running("audit", "verify", "--file", file, "--json").document == {
        "verified": True, "faults": [],
    }  # fmt: skip
    monkeypatch.setattr("sys.stdin", StringIO(file.read_text(encoding="utf-8")))
    assert running("audit", "verify", "--file", "-").code == 0
    running("hold", "demo")
    assert running("audit", "verify", "demo", "--against", file).code == 0
    assert running("audit", "verify", "--file", tmp_path / "none.jsonl").code == 2


@pytest.mark.req("INV11")
def test_tampering_is_found(running: Cli, tmp_path: Path) -> None:
    """In the database and in an export: exit 1, one line a fault on standard error."""
    file = tmp_path / "export.jsonl"
    file.write_text(running("audit", "export").out.replace('"demo"', '"dem0"', 1))
    assert running("audit", "verify", "--file", file).code == 1
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        (table,) = next(
            connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%entries%'")
        )
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(f"UPDATE {table} SET actor = 'mallory' WHERE revision = 2")
    answer = running("audit", "verify")
    assert answer.code == 1
    assert "demo, revision 2: does not match its digest" in answer.err
    document = running("audit", "verify", "--json").document
    assert not document["verified"]
    assert document["faults"] == answer.err.splitlines()

"""Comparison and targets by the command line: real recorders, Valkey, SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover import Recorder
from switchover.engine.advance import take_step
from switchover.engine.collect import collect
from switchover.engine.monitor import look
from switchover.engine.work import record_work
from switchover.ledger import SqlLedger, verify
from switchover.ports import CheckResult
from switchover.wiring import build_context, load_settings
from tests.integration.demo_plan import DEMO

PLAN = (
    DEMO
    + """\
gates:
  - {metric: success_rate, at_least: 50%}
targets:
  - {metric: success_rate, target: 95%, alert: 90%, after: 0s, hold: true}
  - {metric: response_time_p95, target: 2s, alert: 5s}
notify: {slack_channel: "#demo"}
"""
)


@pytest.fixture(params=["sqlite_url", "postgres_database"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """Both databases."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def cli(cli: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Commands on a migration in its first canary stage."""
    monkeypatch.setenv("COLUMNS", "200")
    Path("plan.yaml").write_text(PLAN, encoding="utf-8")
    assert cli("start", "plan.yaml").code == 0
    context = build_context(load_settings())
    record_work(context, "demo", "checks", [CheckResult("up", True, "x", 0.1)], actor="t")
    assert take_step(context, "demo", actor="t").action == "enter"
    return cli


def record(failures: int) -> None:
    """A thousand requests of each system; of the candidate's so many fail, and all are slower."""
    with Recorder("demo") as recorder:
        for number in range(1000):
            recorder.record("success_rate", True, system="legacy")
            recorder.record("success_rate", number >= failures, system="candidate")
            recorder.record("response_time_p95", 0.1, system="legacy")
            recorder.record("response_time_p95", 0.15, system="candidate")


@pytest.mark.req("O3")
def test_compare_shows_what_recorders_of_both_systems_counted(cli: Any, tmp_path: Path) -> None:
    """Table, one stage, JSON and a picture; two recorders add up."""
    assert cli("compare", "demo").out == "No metric is known of both systems yet.\n"
    record(failures=100)
    record(failures=100)
    answer = cli("compare", "demo")
    assert answer.code == 0
    row = next(line for line in answer.out.splitlines() if line.startswith("success_rate"))
    assert "100 %" in row
    assert "90 %" in row
    assert "-10 points" in row
    assert "✗ worse" in row
    assert "not used for decisions" in answer.out
    document = cli("compare", "demo", "--stage", "canary-10", "--json").document
    (stage,) = document["stages"]
    by_name = {f"{f['metric']} {f['figure']}": f for f in stage["figures"]}
    assert by_name["success_rate share"]["candidate_n"] == 2000
    assert by_name["response_time_p95 p99"]["ratio"] == pytest.approx(1.5, rel=0.03)
    picture = tmp_path / "figures.png"
    assert cli("compare", "demo", "--plot", picture).code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.req("O3")
def test_compare_refuses_what_is_not_there(cli: Any) -> None:
    """A stage or a folder that does not exist is bad input, with what to do."""
    answer = cli("compare", "demo", "--stage", "canary-11")
    assert answer.code == 2
    assert "one of checks, canary-10, canary-100, complete" in answer.err
    answer = cli("compare", "demo", "--plot", "nowhere/figures.png")
    assert answer.code == 2
    assert "name a .png file in a folder that exists" in answer.err
    assert cli("compare", "nobody").code == 2


@pytest.mark.req("R10")
@pytest.mark.req("O3")
def test_an_alert_is_on_record_in_status_and_in_the_outbox(cli: Any) -> None:
    """AMBER once, with a notice; the step waits; the chain verifies with all of it."""
    record(failures=200)
    context = build_context(load_settings())
    for _ in range(2):
        look(context, "demo", actor="monitor")
    answer = cli("status", "demo")
    assert answer.code == 0
    assert "success_rate of candidate: 80 % in the last 15 min" in answer.out
    assert "Compared in canary 10 %" in answer.out
    document = cli("status", "demo", "--json").document
    assert [alert["system"] for alert in document["alerts"]] == ["candidate"]
    levels = {(t["target"], t["system"]): t["level"] for t in document["targets"]}
    assert levels == {
        ("success_rate", "legacy"): "met",
        ("success_rate", "candidate"): "alert",
        ("response_time_p95", "legacy"): "met",
        ("response_time_p95", "candidate"): "met",
    }
    assert "a target holds" in cli("why", "demo").out
    assert take_step(context, "demo", actor="t").action == "wait"
    kinds = [entry.kind for entry in context.ledger.entries("demo")]
    assert kinds.count("alert_raised") == 1
    assert "alert raised" in cli("history", "demo").out
    (notice,) = [e for e in context.ledger.effects("demo") if "alert_raised" in e["key"]]
    assert notice["kind"] == "notice"
    assert cli("rollback", "demo", "--reason", "seen enough").code == 0
    (entry,) = [e for e in context.ledger.entries("demo") if e.kind == "rolled_back"]
    assert entry.payload["comparison"]["stage"] == "canary-10"
    assert isinstance(context.ledger, SqlLedger)
    assert verify(context.ledger) == []


@pytest.mark.req("O3")
def test_a_comparison_of_many_blocks_reads_few_rows(cli: Any) -> None:
    """Ten recorders with four metrics each make four rows, which hold all they counted."""
    for _ in range(10):
        record(failures=0)
    context = build_context(load_settings())
    collect(context, "demo")
    rows: list[Any] = context.ledger.tallies("demo", 1)
    assert len(rows) == 4
    assert {row.tally.n for row in rows} == {10_000}
    assert {sum(row.tally.sketch.values()) for row in rows} == {0, 10_000}

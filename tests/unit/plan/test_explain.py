from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import load_plan
from switchover.plan.stages import compile_stages
from switchover.plan.units import spoken

MOOD = Path(__file__).parents[3] / "examples" / "mood" / "plan.yaml"


@pytest.mark.req("P2")
def test_explain_tells_the_very_stages_that_are_executed() -> None:
    """One row per compiled stage, with the routing that it will show."""
    loaded = load_plan(MOOD)
    told = [(row.key, row.mode, row.split, row.shadow, row.bake) for row in explain(loaded).stages]
    assert told == [
        (stage.key, stage.mode, stage.split / 100, stage.shadow / 100, stage.bake)
        for stage in compile_stages(loaded.plan)
    ]


@pytest.mark.req("P6")
def test_explain_says_what_each_stage_needs() -> None:
    """Checks, adapters, gates in words, data checks, and who approves."""
    loaded = load_plan(MOOD)
    rows = {row.key: row for row in explain(loaded).stages}
    assert "check passes: legacy is healthy (legacy)" in rows["checks"].needs
    assert rows["adapters"].needs == (
        "adapter keeps cds-v1's contract",
        "adapter keeps cds-v2's contract",
    )
    assert "gate latency: 99 % of prediction_latency_p99 within 200 ms" in rows["canary-10"].needs
    assert f"data check passes: {loaded.plan.data_checks[0].name}" in rows["canary-10"].needs
    assert rows["canary-10"].before == ()
    assert rows["canary-25"].before[0].startswith("approval by one of ada.meyer, chris.ohm")
    assert rows["complete"].needs == ()


@pytest.mark.req("P7")
def test_explain_tells_schedule_minimum_and_way_back() -> None:
    """The shortest time is the sum of the bakes; the schedule and the rollback are sentences."""
    explanation = explain(load_plan(MOOD))
    assert explanation.minimum == 5 * 86400
    assert "'0 9 * * 1-5' (Europe/Berlin)" in explanation.schedule
    assert "Christmas rota" in explanation.windows[0]
    assert explanation.rollback[0].startswith("automatic when the evidence against agreement")


@pytest.mark.req("P2")
def test_explain_is_json_and_plain_text() -> None:
    """The same facts for programs and for people."""
    explanation = explain(load_plan(MOOD))
    document = json.loads(json.dumps(explanation.to_dict()))
    assert len(document["stages"]) == 8
    text = "\n".join(explanation.lines())
    assert "5. canary 25 %: the split decides who serves" in text
    assert "to leave: the same as for stage 2" in text


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("{metric: error_rate, at_most: 2%}", "gate error_rate at most 2 %"),
        ("{metric: error_rate}", "gate error_rate at most 1 %"),
        (
            "{metric: response_time_p95, at_most: 2s, promote_at_most: 1s}",
            "gate 95 % of response_time_p95 within 2 s (to promote: 1 s)",
        ),
        ("{name: ram, metric: memory_usage_delta}", "gate ram: memory_usage_delta at most 20 %"),
    ],
)
def test_gates_are_told_with_the_limit_that_counts(write: Any, gate: str, words: str) -> None:
    """The catalogue's default where the plan names none, and the stricter one to promote."""
    plan = write(("  - {metric: success_rate, at_least: 99%}", f"  - {gate}"))
    assert words in explain(load_plan(plan)).stages[1].needs


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.2, "200 ms"), (90, "1 min 30 s"), (86400, "24 h"), (259200, "3 d")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Whole days from two on, else hours, minutes and seconds."""
    assert spoken(seconds) == words


@pytest.mark.req("O6")
def test_explain_lists_sources_without_their_secrets(write: Any) -> None:
    """Where each metric comes from, how often, and what follows when it can't be read."""
    path = write(
        add="""
sources:
  - name: prod
    kind: prometheus
    url: http://prometheus:9090/eu?token=abc
    unreadable: rollback
    metrics:
      - metric: success_rate
        legacy: {total: "n{v='1'}", bad: "n{v='1',ok='no'}"}
        candidate: {total: "n{v='2'}", bad: "n{v='2',ok='no'}"}
  - name: outcomes
    kind: sql
    database: env:OUTCOMES_DB
    every: 1min
    metrics: [{metric: duration_avg, systems: [candidate],
               query: "SELECT at, system, value FROM runs WHERE at >= :since AND at < :until"}]
"""
    )
    rows = explain(load_plan(path)).to_dict()["sources"]
    assert rows == (
        {
            "name": "prod",
            "kind": "prometheus",
            "where": "http://prometheus:9090/eu",
            "metrics": ("success_rate (legacy, candidate)",),
            "limits": (
                "every 15 s",
                "5 s a reading",
                "unreadable for 5 min: alert and back to legacy",
            ),
        },
        {
            "name": "outcomes",
            "kind": "sql",
            "where": "env:OUTCOMES_DB",
            "metrics": ("duration_avg (candidate)",),
            "limits": ("every 1 min", "5 s a reading", "unreadable for 5 min: alert and hold"),
        },
    )

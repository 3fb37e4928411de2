"""Triggers in a plan: understood, refused with what to do, and the usual ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.judge.trigger import TriggerSpec
from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.usual_triggers import USUAL, compile_triggers

GOOD = """\
triggers:
  red:
    - {metric: isolation_violations, at_most: 0}
    - {name: failing, metric: success_rate, at_least: 70%}
    - {name: slow, metric: response_time_p95, at_most: 3s, over: 2m, after: 4m}
    - {name: slower, metric: response_time_p95, above_legacy: 50%}
    - {name: golden path, probe: {kind: http, name: order, system: candidate, path: /orders}}
    - name: store
      probe: {kind: sql, name: q, database: "env:STORE", query: SELECT 1, expect: {value: 1}}
      after: 1m
      every: 15s
      no_data: fire
  amber:
    - {metric: event_delivery_rate, at_least: 95%}
    - {name: memory, metric: memory_usage_delta, above_legacy: 20%, minimum: 5}
    - {name: queue, metric: queue_depth, kind: mean, at_most: 50}
"""
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "choose-triggers.md"


def found(write: Any, *changes: tuple[str, str]) -> list[str]:
    """Faults and warnings of the small plan with the good triggers, changed."""
    text = GOOD
    for old, new in changes:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    report = lint_plan(write(add=text))
    return [f"{f.line}: {f.field}: {f.message}; {f.suggestion}"
            for f in (*report.faults, *report.warnings)]  # fmt: skip


def compiled(write: Any, text: str, *changes: tuple[str, str]) -> dict[str, TriggerSpec]:
    plan = load_plan(write(*changes, add=text)).plan
    return {spec.name: spec for spec in compile_triggers(plan)}


@pytest.mark.req("R3")
def test_triggers_of_each_kind_are_understood(write: Any) -> None:
    """Nothing to say about any of them; RED is quick, AMBER takes five minutes, a probe too."""
    assert found(write) == []
    specs = compiled(write, GOOD)
    windows = {name: spec.window for name, spec in specs.items() if spec.window}
    shapes = {name: (w.kind, w.alert, w.over, w.after, w.minimum) for name, w in windows.items()}
    assert shapes == {
        "isolation_violations": ("count", 0.0, 86_400.0, 0.0, 1),
        "failing": ("proportion", 0.7, 300.0, 0.0, 30),
        "slow": ("quantile", 3.0, 120.0, 240.0, 30),
        "slower": ("mean", 0.0, 300.0, 0.0, 30),
        "event_delivery_rate": ("proportion", 0.95, 900.0, 300.0, 30),
        "memory": ("mean", 0.0, 900.0, 300.0, 5),
        "queue": ("mean", 50.0, 900.0, 300.0, 30),
    }
    assert (specs["slower"].ratio, specs["memory"].ratio, specs["slow"].ratio) == (1.5, 1.2, None)
    assert (specs["golden path"].after, specs["golden path"].every) == (300.0, 30.0)
    assert (specs["store"].after, specs["store"].every, specs["store"].unread_fires) == (
        60.0, 15.0, True,
    )  # fmt: skip
    assert [spec.color for spec in specs.values()] == ["red"] * 6 + ["amber"] * 3


@pytest.mark.req("R3")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("at_least: 70%", "at_most: 70%"), "17: triggers.red[1].at_most: more of success_rate is "
         "better; use at_least"),
        (("at_least: 70%", "at_least: 70"), "17: triggers.red[1].at_least: 70 is not a share"),
        (("at_least: 70%", "at_least: 1"), "a share of 1 allows no judgement; leave some room"),
        (("at_least: 70%", "at_least: 70%, at_most: 90%"), "17: triggers.red[1].at_least: a "
         "trigger has one limit, and at_most is here too; keep one of them"),
        ((", at_least: 70%", ""), "the trigger on 'success_rate' has no limit; add at_most"),
        (("at_most: 3s", "at_most: 3"), "18: triggers.red[2].at_most: 3 is not a duration"),
        (("at_most: 3s", "at_most: 1.5x"), "1.5x is a ratio; write above_legacy: 50% for 1.5x"),
        (("at_most: 3s", "at_least: 3s"), "a quantile trigger has an upper limit; use at_most"),
        (("after: 4m", "after: 1h"), "18: triggers.red[2].after: 1 h is more than 20 windows of"),
        (("over: 2m", "over: 5s"), "18: triggers.red[2].over: "),
        (("above_legacy: 50%", "above_legacy: 2s"), "19: triggers.red[3].above_legacy: 2s is not a "
         "share; write it like 50%"),
        (("at_most: 0}", "above_legacy: 10%}"), "a count of events is not compared with legacy's"),
        (("above_legacy: 20%", "at_most: 20%"), "28: triggers.amber[1].at_most: memory is compared "
         "with legacy's; write above_legacy: 20%"),
        (("system: candidate, ", ""), "20: triggers.red[4].probe: it asks legacy, which a rollback "
         "does not repair; add system: candidate, or the url that people use"),
        (("system: candidate", "system: legacy"), "20: triggers.red[4].probe.system: a rollback "
         "does not repair legacy"),
        (("path: /orders}", "path: /orders}, over: 5m"), "a probe has no over; remove it"),
        (("every: 15s", "every: 2m"), "24: triggers.red[5].every: asked every 2 min, nobody knows "
         "whether it is broken for 1 min; ask more often, or lengthen after"),
        (("metric: queue_depth, kind: mean", "metric: queue_depth"), "'queue_depth' is not in the "
         "metrics catalogue, so the trigger needs a kind; add a kind"),
        (("metric: event_delivery_rate", "metric: event_delivery_rat"), "did you mean "
         "'event_delivery_rate'?"),
        (("name: queue,", "name: failing,"), "the name 'failing' is taken by triggers.red[1]"),
        (("no_data: fire", "no_data: ignore"), "'ignore' is not known here"),
        (("kind: http", "kind: metric"), "'metric' is not known here"),
        (("  amber:", "  without: [golden path]\n  amber:"), "there are no usual triggers to leave "
         "out; add defaults: true, or remove it"),
        (("  amber:", "  defaults: true\n  without: [golden pth]\n  amber:"), "no usual trigger is "
         "called 'golden pth'; did you mean 'golden path'?"),
        (("  amber:", "  defaults: true\n  yellow:"), "triggers.yellow: unknown key 'yellow'"),
        (("    - {metric: isolation_violations, at_most: 0}", "    - {name: nothing}"), "a trigger "
         "watches one thing; write either metric or probe"),
    ],
)  # fmt: skip
def test_a_trigger_that_makes_no_sense_is_refused_with_what_to_do(
    write: Any, change: tuple[str, str], said: str
) -> None:
    """One fault, at its line."""
    faults = found(write, change)
    assert len(faults) == 1, faults
    assert said in faults[0]


@pytest.mark.req("R3")
def test_red_that_may_not_roll_back_is_warned_of(write: Any) -> None:
    """The plan leaves rollbacks to people: known, and allowed."""
    report = lint_plan(write(add=GOOD + "rollback: {automatic: false}\n"))
    assert report.faults == ()
    (warning,) = report.warnings
    assert warning.message == "rollback.automatic is false, so a RED trigger only tells people"


@pytest.mark.req("R3")
def test_the_usual_triggers_are_those_of_the_requirement(write: Any) -> None:
    """Isolation at once; the golden path for 5 minutes; 30 % failing; 50 % slower; databases; and
    AMBER's five, at 5 %, 10 %, 20 %, memory, authentication."""
    data = (
        "data_checks:\n  - {name: rows, database: 'env:STORE', table: t, expectations: "
        "[{expect: expect_table_row_count_to_be_between}]}\n"
    )
    specs = compiled(write, data + "triggers: {defaults: true}\n")
    assert {name.partition(":")[0] for name in specs} == set(USUAL)
    red = [name for name, spec in specs.items() if spec.color == "red"]
    assert red == ["isolation", "golden path", "failing requests", "slower than legacy",
                   "data stores: STORE"]  # fmt: skip
    assert specs["isolation"].metric.alert == 0.0
    assert specs["golden path"].after == 300.0
    assert specs["failing requests"].metric.alert == pytest.approx(0.7)
    assert specs["slower than legacy"].ratio == 1.5
    assert specs["data stores: STORE"].after == 60.0
    limits = {name: specs[name].metric.alert for name in
              ("event delivery", "failing executions", "integration tests")}  # fmt: skip
    assert limits == {"event delivery": 0.95, "failing executions": 0.9, "integration tests": 0.8}
    assert specs["memory growth"].ratio == 1.2


@pytest.mark.req("R3")
def test_thresholds_are_the_plans(write: Any) -> None:
    """One's own of the same name takes the place of a usual one; others are left out by name."""
    text = (
        "triggers:\n  defaults: true\n  without: [golden path, slower than legacy]\n"
        "  red: [{name: failing requests, metric: success_rate, at_least: 50%}]\n"
    )
    specs = compiled(write, text)
    assert specs["failing requests"].metric.alert == 0.5
    assert not {"golden path", "slower than legacy"} & set(specs)
    assert len([name for name in specs if name == "failing requests"]) == 1


@pytest.mark.req("R3")
def test_the_usual_triggers_read_the_metrics_that_the_plan_speaks_of(write: Any) -> None:
    """A plan whose gate is on errors has no success rate to look at."""
    text = "triggers: {defaults: true}\n"
    change = ("metric: success_rate, at_least: 99%", "metric: error_rate, at_most: 1%")
    failing = compiled(write, text, change)["failing requests"].metric
    assert (failing.metric, failing.alert, failing.at_least) == ("error_rate", 0.3, False)
    assert compiled(write, "") == {}


@pytest.mark.req("R3")
def test_explain_tells_what_each_trigger_watches_and_what_follows(write: Any) -> None:
    """RED before AMBER, with limits, windows and times."""
    lines = [line for line in explain(load_plan(write(add=GOOD))).lines()
             if line.startswith("Trigger: ")]  # fmt: skip
    assert lines[0] == ("Trigger: RED isolation_violations: isolation_violations at most 0 events "
                        "over 24 h; broken rolls back at once")  # fmt: skip
    assert lines[2].endswith("p95 at most 3 s over 2 min; broken for 4 min rolls back at once")
    assert lines[4] == ("Trigger: RED golden path: GET of the candidate /orders, every 30 s; "
                        "broken for 5 min rolls back at once")  # fmt: skip
    assert lines[5].endswith("rolls back at once, and so does missing data")
    assert lines[-1].endswith("broken for 5 min alerts, and nothing goes on meanwhile")


@pytest.mark.req("R3")
def test_the_examples_of_the_how_to_are_understood(write: Any) -> None:
    """What a reader copies has no fault, and the page's table names every usual trigger."""
    text = PAGE.read_text("utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        report = lint_plan(write(add=example))
        assert (report.faults, report.warnings) == ((), ())
        assert report.plan is not None
        assert len(compile_triggers(report.plan.plan)) >= 4
    for name in USUAL:
        assert f"| {name} |" in text

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.targets import compile_targets

GOOD = """\
targets:
  - {metric: success_rate, target: 95%, alert: 90%}
  - {metric: event_delivery_rate, target: 98%, alert: 95%, hold: true}
  - {metric: response_time_p95, target: 2s, alert: 5s}
  - {metric: error_rate, target: 1%, alert: 5%, over: 30m, after: 10m}
  - {metric: duration_avg, target: 300s, alert: 10m}
  - {metric: isolation_violations, target: 0, alert: 0}
  - {metric: queue_depth, kind: mean, target: 10, alert: 50}
  - {metric: throughput, kind: mean, target: 50, alert: 10, minimum: 5}
"""


def found(write: Any, *changes: tuple[str, str]) -> list[str]:
    """Faults of the small plan with the good targets, changed."""
    text = GOOD
    for old, new in changes:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    report = lint_plan(write(add=text))
    return [f"{f.field}: {f.message}; {f.suggestion}" for f in (*report.faults, *report.warnings)]


@pytest.mark.req("R10")
def test_targets_of_each_kind_are_understood(write: Any) -> None:
    """Nothing to say about any of them; direction, unit and kind follow from the metric."""
    assert found(write) == []
    specs = compile_targets(load_plan(write(add=GOOD)).plan.targets)
    assert [spec.at_least for spec in specs] == [True, True, *[False] * 5, True]
    kinds = ["proportion", "proportion", "quantile", "proportion", "mean", "count", "mean", "mean"]
    assert [spec.kind for spec in specs] == kinds
    assert (specs[2].quantile, specs[4].alert, specs[3].over, specs[3].after) == (
        0.95, 600.0, 1800.0, 600.0,
    )  # fmt: skip
    assert [spec.minimum for spec in specs[-3:]] == [1, 30, 5]


@pytest.mark.req("R10")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("alert: 90%", "alert: 98%"), "[0].alert: more of success_rate is better, so an alert at "
         "98% would come before the target of 95% is missed; write an alert below 95%"),
        (("alert: 5s", "alert: 500ms"), "[2].alert: less of response_time_p95 is better"),
        (("alert: 5%", "alert: 0.5%"), "[3].alert: less of error_rate is better"),
        (("alert: 90%", "alert: 95%"), "[0].alert: alert and target are both 95%; leave room"),
        (("target: 2s", "target: 2"), "[2].target: 2 is not a duration; write a unit, like 2s"),
        (("target: 95%", "target: 95"), "[0].target: 95 is not a share; write it like 95%"),
        (("target: 95%", "target: 2s"), "[0].target: 2s is not a share"),
        (("alert: 5s", "alert: 1.5x"), "[2].alert: 1.5x is a ratio, and a target has none"),
        (("alert: 0}", "alert: 10%}"), "[5].alert: 10% is not a number of events"),
        (("target: 300s", "target: 30%"), "[4].target: 30% is not a duration"),
        (("target: 10,", "target: 10%,"), "[6].target: 10% is a share, and a mean target"),
        (("after: 10m", "after: 1h"), "[3].after: 1 h is longer than the window of 30 min"),
        (("over: 30m", "over: 30s"), "[3].over: "),
        (("metric: success_rate", "metric: sucess_rate"), "[0].metric: 'sucess_rate' is not in the "
         "metrics catalogue, so the target needs a kind; did you mean 'success_rate'?"),
        (("metric: success_rate", "metric: memory_usage_delta"), "[0].metric: a memory metric "
         "compares both systems over the whole rollout, and has no target; use a gate"),
        (("metric: success_rate,", "metric: success_rate, kind: mean,"), "[0].kind: success_rate "
         "is of kind proportion, not mean"),
        (("alert: 90%", "alert: 90%, quantile: 0.9"), "[0].quantile: a proportion target has no"),
        (("metric: event_delivery_rate", "metric: success_rate"), "the name 'success_rate' is "
         "taken by targets[0]"),
        (("alert: 90%", "alert: 0%"), "[0].alert: nothing lies beyond 0%"),
        (("hold: true", "hold: yes"), "[1].hold: "),
        (("alert: 90%", "alerts: 90%"), "[0].alerts: unknown key 'alerts'"),
    ],
)  # fmt: skip
def test_a_target_that_makes_no_sense_is_refused_with_what_to_do(
    write: Any, change: tuple[str, str], said: str
) -> None:
    """One fault, at its place."""
    faults = found(write, change)
    assert len(faults) == 1, faults
    assert said in faults[0]


@pytest.mark.req("R10")
def test_explain_tells_of_targets(write: Any) -> None:
    """What is aimed at, over which time, and when people are told."""
    lines = explain(load_plan(write(add=GOOD))).lines()
    told = [line for line in lines if line.startswith("Target: ")]
    assert told[0] == ("Target: success_rate at least 95 % over 15 min; people are alerted beyond "
                       "90 % for 5 min")  # fmt: skip
    assert told[1].endswith(", and nothing goes on meanwhile")
    assert "p95 at most 2 s" in told[2]


@pytest.mark.req("R10")
@pytest.mark.req("R3")
@pytest.mark.parametrize(("place", "targets"), [(0, 6), (1, 5)])
def test_the_examples_of_the_how_to_are_understood(write: Any, place: int, targets: int) -> None:
    """What a reader copies has no fault."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "watch-targets.md"
    texts = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(texts) == 2
    report = lint_plan(write(add=texts[place]))
    assert (report.faults, report.warnings) == ((), ())
    assert report.plan is not None
    assert len(report.plan.plan.targets) == targets

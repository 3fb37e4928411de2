"""Every kind of gate and option, as a plan has them: linted, compiled, explained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from switchover.judge.gate import kinds
from switchover.plan.catalogue import FORMS, METRICS, GateKind
from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.rules.gates import _KINDS
from switchover.plan.stages import compile_gates

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GATE = "  - {metric: success_rate, at_least: 99%}\n"
SHADOWED = ("percent: 10,", "percent: 10, shadow: 10,")


def fields(write: Any, gate: str) -> tuple[list[str], list[str]]:
    report = lint_plan(write((GATE, f"{GATE}  - {gate}\n")), now=NOW)
    return [fault.field for fault in report.faults], [fault.field for fault in report.warnings]


def test_plan_and_judge_know_the_same_kinds() -> None:
    """A kind that only one of them knew could not be used, or not be written."""
    assert set(get_args(GateKind)) == kinds().keys() == FORMS.keys() | {"sample_ratio"}
    assert set(_KINDS) == {metric.unit for metric in METRICS.values()}


@pytest.mark.req("O1")
def test_the_catalogue_has_every_metric_that_teams_asked_for() -> None:
    """Each can be named in a plan; all with a default limit need nothing else."""
    asked = {
        "prediction_agreement_rate", "prediction_latency_p99", "cds_integration_errors",
        "memory_usage_delta", "success_rate", "error_rate", "duration_avg", "quality_score",
        "response_time_p95", "event_delivery_rate", "isolation_violations",
    }  # fmt: skip
    assert asked <= METRICS.keys()
    limits = {name: (METRICS[name].at_least, METRICS[name].at_most) for name in asked}
    assert limits["duration_avg"] == (None, 600.0)
    assert all(limit != (None, None) for limit in limits.values())


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        ("{metric: duration_avg}", None),
        ("{metric: duration_avg, at_most: 10m, cap: 1h, promote_at_most: 8m}", None),
        ("{metric: duration_avg, at_most: 600}", "gates[1].at_most"),
        ("{metric: duration_avg, at_most: 10m, cap: 11m}", "gates[1].cap"),
        ("{metric: duration_avg, at_most: 10m, cap: 3600}", "gates[1].cap"),
        ("{metric: cost, kind: mean, at_most: 1.0e+300}", "gates[1].at_most"),
        ("{metric: cost, kind: mean, at_most: 1.0e-300}", "gates[1].at_most"),
        ("{metric: tokens, kind: mean, at_most: 1200}", None),
        ("{metric: tokens, kind: mean, at_most: 20%}", "gates[1].at_most"),
        ("{metric: right, kind: paired, at_most: 2%}", None),
        ("{metric: right, kind: paired, at_most: 0}", None),
        ("{metric: right, kind: paired, at_most: 2}", "gates[1].at_most"),
        ("{metric: right, kind: paired, at_most: 1.5x}", "gates[1].at_most"),
        ("{metric: score, kind: drift, at_most: 10%}", None),
        ("{metric: score, kind: drift, at_most: 0}", "gates[1].at_most"),
        ("{metric: score, kind: drift, at_most: 200ms}", "gates[1].at_most"),
        ("{metric: requests_served}", None),
        ("{metric: requests_served, at_most: 60%}", "gates[1].at_most"),
        ("{metric: requests_served, at_most: 2%, promote_at_most: 1%}", "gates[1].promote_at_most"),
        ("{metric: requests_served, stages: [shadow]}", "gates[1].stages"),
        ("{metric: requests_served, critical: true}", "gates[1].critical"),
        ("{metric: error_rate, critical: true, weight: 2, warm_up: 5m}", None),
        ("{metric: error_rate, warm_up: 5}", "gates[1].warm_up"),
        ("{metric: error_rate, noise: success_rate}", None),
        ("{metric: duration_avg, noise: noise_rate}", "gates[1].noise"),
        ("{metric: error_rate, noise: error_rate}", "gates[1].noise"),
        ("{metric: error_rate, noise: ''}", "gates[1].noise"),
        ("{metric: error_rate, noise: Noise rate}", "gates[1].noise"),
        ("{metric: error_rate, bursty: true}", None),
        ("{metric: duration_avg, bursty: true}", "gates[1].bursty"),
        ("{metric: success_rate, name: p, kind: paired, at_most: 2%}", "gates[1].kind"),
        ("{metric: error_rate, noise: success_rate, report_only: true}", None),
    ],
)
def test_kinds_and_options_are_linted(write: Any, gate: str, fault: str | None) -> None:
    """Units, ranges and options that a kind does not read are faults with their place."""
    faults = fields(write, gate)[0]
    assert (fault in faults) if fault else faults == []


@pytest.mark.req("O1")
def test_a_metric_is_of_one_form(write: Any) -> None:
    """Bools, numbers and pairs of outcomes can't share a name: recorders refuse the second."""
    two = "{metric: looked_up, kind: count, at_most: 0}\n  - "
    for kind, limit in (("quantile", "1s"), ("paired", "2%"), ("drift", "10%"), ("mean", "3")):
        gate = f"{two}{{name: other, metric: looked_up, kind: {kind}, at_most: {limit}}}"
        assert fields(write, gate)[0] == ["gates[2].metric"]
    gate = f"{two}{{name: other, metric: looked_up, kind: relative_rate, at_most: 2x}}"
    assert fields(write, gate)[0] == []


@pytest.mark.req("INV6")
def test_a_right_split_alone_judges_no_stage(write: Any) -> None:
    """It says nothing about the candidate, so no plan may reach 100 % on it."""
    report = lint_plan(write((GATE, "  - {metric: requests_served}\n")), now=NOW)
    assert {fault.field for fault in report.faults} == {"gates"}
    assert "no gate judges the canary stages" in report.faults[0].message


@pytest.mark.req("R10")
def test_a_target_reads_a_metric_as_its_gate_does(write: Any) -> None:
    """Of the second form nothing would ever be recorded."""
    gate = f"{GATE}  - {{metric: mine, kind: proportion, at_least: 90%}}\n"
    for kind, faults in (("mean", ["targets[0].kind"]), ("proportion", [])):
        target = f"targets:\n  - {{metric: mine, kind: {kind}, target: 0.9, alert: 0.8}}\n"
        report = lint_plan(write((GATE, gate), add=target), now=NOW)
        assert [fault.field for fault in report.faults] == faults


@pytest.mark.req("O2")
def test_a_warm_up_is_held_against_the_stages_of_its_gate(write: Any) -> None:
    """A shadow stage can be too short for it as well; one that it does not judge is not."""
    gate = "{metric: error_rate, warm_up: 90m"
    assert fields(write, f"{gate}}}") == ([], ["gates[1].warm_up"])
    assert fields(write, f"{gate}, stages: [canary]}}") == ([], [])


@pytest.mark.req("O2")
def test_a_warm_up_as_long_as_a_stage_is_a_warning(write: Any) -> None:
    """Nothing would be judged by the end of its bake time."""
    assert fields(write, "{metric: error_rate, warm_up: 2h}") == ([], ["gates[1].warm_up"])


@pytest.mark.req("O2")
def test_options_reach_the_judge_and_the_explanation(write: Any) -> None:
    """What the plan says is what is compiled and what is told."""
    gates = (
        "  - {metric: duration_avg, critical: true, warm_up: 10m, cap: 1h}\n"
        "  - {name: agreed, metric: alike, kind: proportion, at_least: 90%, noise: noise_rate}\n"
        "  - {metric: requests_served, report_only: true}\n"
    )
    loaded = load_plan(write((GATE, GATE + gates)))
    _, mean, agreed, split = compile_gates(loaded.plan)
    assert (mean.kind, mean.limit, mean.cap) == ("mean", 600.0, 3600.0)
    assert (mean.critical, mean.warm_up) == (True, 600.0)
    assert agreed.noise == "noise_rate"
    assert (split.kind, split.stages, split.report_only) == ("sample_ratio", ("canary",), True)
    told = "\n".join(explain(loaded).lines())
    assert "duration_avg on average at most 10 min, critical, not in a stage's first 10 min" in told
    assert "agreed: alike at least 90 %, on top of noise_rate" in told
    assert "requests_served split as wanted, up to 2 points, for report only" in told

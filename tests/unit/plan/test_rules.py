from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.load import lint_plan

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AGREEMENT = "agreement: {fields: [{path: price, compare: number, absolute: 0.1}]}\n"
GATE = "  - {metric: success_rate, at_least: 99%}\n"


def fields(path: Path) -> tuple[list[str], list[str]]:
    report = lint_plan(path, now=NOW)
    return [fault.field for fault in report.faults], [fault.field for fault in report.warnings]


@pytest.mark.req("P2")
def test_a_good_plan_has_neither_faults_nor_warnings(write: Any) -> None:
    """The small plan of these tests is clean, so what the others find is their own doing."""
    assert fields(write()) == ([], [])


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("change", "add", "warning"),
    [
        ("", "approvals: {approvers: [ada, ben]}\n", "approvals"),
        (", approval: true", "approvals: {approvers: [ada]}\n", "approvals.approvers"),
        ("", AGREEMENT, "agreement"),
        (
            "",
            "schedule: {freeze: [{start: 2026-01-01, end: 2026-01-02, reason: x}]}\n",
            "schedule.freeze[0].end",
        ),
    ],
)
def test_what_is_odd_but_possible_is_a_warning(
    write: Any, change: str, add: str, warning: str
) -> None:
    """A warning is told with its place, and the plan is usable all the same."""
    plan = write(("bake: 3h", f"bake: 3h{change}"), add=add)
    assert fields(plan) == ([], [warning])
    assert lint_plan(plan, now=NOW).plan is not None


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("gate", "warning"),
    [
        ("{metric: success_rat, kind: proportion, at_least: 99%}", "gates[1].metric"),
        ("{name: r, metric: success_rate, kind: relative_rate, at_most: 0.5}", "gates[1].at_most"),
        ("{metric: memory_usage_delta, at_most: 20}", "gates[1].at_most"),
    ],
)
def test_a_gate_that_hardly_means_what_it_says_is_a_warning(
    write: Any, gate: str, warning: str
) -> None:
    """20 for 20 %, 0.5 for half as much again, a metric one letter off the catalogue's."""
    assert fields(write((GATE, f"{GATE}  - {gate}\n"))) == ([], [warning])


@pytest.mark.req("P2")
def test_a_recording_may_come_later(write: Any) -> None:
    """Recordings are made during the migration, so a missing one is a warning."""
    Path("answer.json").write_text('{"type": "object"}', "utf-8")
    plan = write(
        ("  - {kind: shadow, bake: 1h}\n", "  - {kind: adapters}\n  - {kind: shadow, bake: 1h}\n"),
        add="consumers:\n  - {name: till, adapter: 'shop:to_till', contract: answer.json, "
        "recordings: later.jsonl}\n",
    )
    assert fields(plan) == ([], ["consumers[0].recordings"])


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        ("{metric: prediction_latency_p99, at_most: 200ms, quantile: 0.9}", None),
        ("{metric: error_rate, at_most: 1%, quantile: 0.9}", "gates[1].quantile"),
        ("{metric: prediction_latency_p99, at_most: 0s}", "gates[1].at_most"),
        ("{metric: prediction_latency_p99, at_most: 20%}", "gates[1].at_most"),
        ("{metric: cds_integration_errors, at_most: 0.5}", "gates[1].at_most"),
        ("{metric: cds_integration_errors, at_most: 1.5x}", "gates[1].at_most"),
        ("{metric: error_rate, at_most: 1%, promote_at_least: 99%}", "gates[1].promote_at_least"),
        ("{metric: error_rate, at_most: 1%, promote_at_most: 2%}", "gates[1].promote_at_most"),
        ("{metric: error_rate, promote_at_most: 0.5%}", None),
        ("{metric: speed, kind: quantile}", "gates[1]"),
        ("{metric: speed, kind: quantile, at_least: 1s}", "gates[1].at_least"),
        ("{metric: error_rate, stages: []}", "gates[1].stages"),
    ],
)
def test_limits_have_to_fit_their_gate(write: Any, gate: str, fault: str | None) -> None:
    """Unit, direction and strictness of every limit are checked before anything runs."""
    assert fields(write((GATE, f"{GATE}  - {gate}\n"))) == ([fault] if fault else [], [])


@pytest.mark.req("O4")
@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("{path: 'a.b[*].c', compare: exact}", None),
        ("{path: 'a[', compare: exact}", "path"),
        ("{path: a, compare: exact, absolute: 0.1}", "absolute"),
        ("{path: a, compare: category, categories: [0.7, 0.4]}", "categories"),
        ("{path: a, compare: category, categories: [0.4, 0.7]}", None),
        ("{path: a, compare: set, categories: [1]}", "categories"),
        ("{path: price, compare: exact}", "path"),
    ],
)
def test_comparisons_have_what_they_need(write: Any, field: str, fault: str | None) -> None:
    """Tolerances belong to numbers, edges to categories, and a field has one rule."""
    plan = write(
        (GATE, f"{GATE}  - {{metric: prediction_agreement_rate}}\n"),
        add=f"agreement:\n  fields:\n    - {{path: price, compare: exact}}\n    - {field}\n",
    )
    assert fields(plan)[0] == ([f"agreement.fields[1].{fault}"] if fault else [])


@pytest.mark.req("O4")
def test_a_rule_below_another_is_refused(write: Any) -> None:
    """A field that is compared whole has no rules for its parts."""
    plan = write(
        (GATE, f"{GATE}  - {{metric: prediction_agreement_rate}}\n"),
        add="agreement: {fields: [{path: a}, {path: a.b}]}\n",
    )
    assert fields(plan)[0] == ["agreement.fields"]


@pytest.mark.req("P2")
def test_a_stage_without_any_gate_is_refused(write: Any) -> None:
    """No evidence is not good evidence: each kind of stage with traffic needs a gate."""
    plan = write(("at_least: 99%}", "at_least: 99%, stages: [canary]}"))
    assert fields(plan)[0] == ["gates"]


@pytest.mark.req("O4")
def test_agreement_needs_shadowed_requests_in_every_canary(write: Any) -> None:
    """Without requests to both systems there are no pairs, and the stage would never end."""
    plan = write(
        ("percent: 10,", "percent: 10, shadow: 0,"),
        (GATE, f"{GATE}  - {{metric: prediction_agreement_rate}}\n"),
        add=AGREEMENT,
    )
    assert fields(plan)[0] == ["stages[1].shadow"]


@pytest.mark.req("K4")
@pytest.mark.parametrize(
    "secret",
    [
        "https://ada:hunter2@shop.example/x",
        "xoxb-123456789012-abcdefgh",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "AKIAABCDEFGHIJKLMNOP",
        "--password=hunter22",
    ],
)
def test_a_secret_is_refused_and_not_repeated(write: Any, secret: str) -> None:
    """Plans are kept for ever and read by many; the message must not spread the secret."""
    plan = write(add=f"contacts: [{{name: a, role: b, reach: '{secret}'}}]\n")
    report = lint_plan(plan, now=NOW)
    assert [fault.field for fault in report.faults] == ["contacts[0].reach"]
    assert secret not in str(report.faults[0])
    assert "hunter2" not in str(report.faults[0])


@pytest.mark.req("C4")
@pytest.mark.parametrize(
    ("database", "faulty"),
    [("env:SHOP_DB", False), ("sqlite:///shop.db", False), ("env:", True), ("shop.db", True)],
)
def test_a_database_is_an_address_or_a_variable(write: Any, database: str, faulty: bool) -> None:
    """Anything else would only fail between two steps."""
    plan = write(
        add=f"data_checks: [{{name: d, database: '{database}', table: t, expectations: "
        "[{expect: column_values_to_not_be_null, arguments: {column: id}}]}]\n"
    )
    assert fields(plan)[0] == (["data_checks[0].database"] if faulty else [])


@pytest.mark.req("P2")
def test_without_stages_the_default_ones_need_their_sections(write: Any) -> None:
    """The default stages check and adapt, so a plan without checks and consumers names its own."""
    text = write().read_text()
    plan = write(text=text[: text.index("stages:")] + text[text.index("gates:") :])
    words = [fault.message for fault in lint_plan(plan, now=NOW).faults]
    assert words == [
        "the default stages have one of kind checks, and the plan has no checks",
        "the default stages have one of kind adapters, and the plan has no consumers",
    ]

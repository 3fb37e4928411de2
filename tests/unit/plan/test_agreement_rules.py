"""Plan rules on how answers are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.judge.agreement import Agreement
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.stages import compile_gates

pytestmark = [pytest.mark.req("O4"), pytest.mark.req("P2")]

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
GATE = ("gates:\n", "gates:\n  - {metric: prediction_agreement_rate, at_least: 90%}\n")
FIELD = "agreement: {{default: exact, fields: [{{path: price, {field}}}]}}\n"


def lint(write: Any, field: str) -> tuple[list[str], list[str]]:
    report = lint_plan(write(GATE, add=FIELD.format(field=field)), now=NOW)
    return [f"{fault.field}: {fault.message}" for fault in report.faults], [
        f"{fault.field}: {fault.message}" for fault in report.warnings
    ]


@pytest.mark.parametrize(
    "field",
    [
        "compare: exact",
        "compare: number, absolute: 0.1, relative: 1%",
        "compare: category, same: [[low, minimal]], categories: [0.3, 0.7]",
        "compare: set",
        "compare: order",
        "compare: order, key: product.id",
        "compare: keyed, key: id",
        "compare: text, normalise: [trim, casefold, whitespace, unicode]",
        "compare: timestamp",
        "compare: timestamp, within: 5s",
        "compare: ignore, owner: ada, until: 2026-09-01",
    ],
)
def test_every_way_to_compare_can_be_written(write: Any, field: str) -> None:
    """No faults, no warnings, and what routers publish compiles."""
    assert lint(write, field) == ([], [])
    agreement = load_plan(write(GATE, add=FIELD.format(field=field))).plan.agreement
    assert agreement is not None
    document = agreement.document()
    assert Agreement.from_dict(document).compare({"price": 1}, {"price": 1}).agree
    assert None not in document["fields"][0].values()


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("compare: set, key: id", "agreement.fields[0].key: key means nothing to compare: set"),
        ("compare: exact, within: 1s", "agreement.fields[0].within: within means nothing"),
        ("compare: exact, normalise: [trim]", "agreement.fields[0].normalise: normalise means"),
        ("compare: exact, owner: ada", "agreement.fields[0].owner: owner means nothing"),
        ("compare: text", "agreement.fields[0].compare: text is compared without a normaliser"),
        ("compare: text, normalise: [upper]", "agreement.fields[0].normalise[0]: "),
        ("compare: keyed", "agreement.fields[0].compare: items are paired by key, and no key"),
        ("compare: order, key: 'a[*].b'", "agreement.fields[0].key: 'a[*].b' does not lead to"),
        ("compare: ignore, owner: ada", "agreement.fields[0].compare: a rule to ignore a field "
         "lacks until"),
        ("compare: ignore, until: 2026-09-01", "agreement.fields[0].compare: a rule to ignore a "
         "field lacks owner"),
        ("compare: ignore, owner: ada, until: soon", "agreement.fields[0].until: 'soon' is not a"),
    ],
)  # fmt: skip
def test_an_option_that_does_not_fit_is_a_fault(write: Any, field: str, fault: str) -> None:
    """Each at its place, and nothing else is wrong."""
    faults, _ = lint(write, field)
    assert len(faults) == 1
    assert faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("field", "warning"),
    [
        ("compare: ignore", "agreement.fields[0].compare: 'price' is ignored for ever"),
        ("compare: ignore, owner: ada, until: 2026-06-14",
         "agreement.fields[0].until: 'price' counts again after 2026-06-14"),
        ("compare: ignore, owner: ada, until: 2026-06-01",
         "agreement.fields[0].until: 'price' counts again after 2026-06-01"),
        ("compare: ignore, owner: ada, until: 2026-05-31",
         "agreement.fields[0].until: 'price' counts again since 2026-05-31 is over"),
    ],
)  # fmt: skip
def test_a_rule_to_ignore_a_field_is_pointed_at(write: Any, field: str, warning: str) -> None:
    """Without an end, before it, and after it; the plan can be used all the same."""
    faults, warnings = lint(write, field)
    assert faults == []
    assert len(warnings) == 1
    assert warnings[0].startswith(warning)


def test_noise_puts_the_agreement_gate_on_top_of_legacys(write: Any) -> None:
    """Only the gate on agreement, and a gate that names its own noise keeps it."""
    add = "agreement: {noise: true, fields: [{path: price}]}\n"
    gates = "  - {name: own, metric: x_rate, kind: proportion, at_least: 9%, noise: y_rate}\n"
    plan = load_plan(write((GATE[0], GATE[1] + gates), add=add)).plan
    noise = {gate.name: gate.noise for gate in compile_gates(plan)}
    assert noise == {"prediction_agreement_rate": "noise_rate", "own": "y_rate",
                     "success_rate": None}  # fmt: skip
    assert plan.agreement is not None
    assert "noise" not in plan.agreement.document()

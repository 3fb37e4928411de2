"""The page on choosing gates: its examples are plans, its figures are the judge's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.judge.gate import kinds
from switchover.plan.load import lint_plan
from switchover.plan.spec import Gate

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "choose-gates.md"
TEXT = DOCUMENT.read_text("utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
AGREEMENT = "agreement: {fields: [{path: price, compare: number, absolute: 0.1}]}\n"


@pytest.mark.req("O2")
@pytest.mark.parametrize("example", YAML)
def test_the_examples_have_no_fault(write: Any, example: str) -> None:
    """What a reader copies is a plan, beside a gate on success."""
    gates = example.removeprefix("gates:\n")
    other = "  - {name: failures, metric: error_rate, at_most: 2%}\n"
    plan = write(
        ("  - {metric: success_rate, at_least: 99%}\n", other + gates),
        add=AGREEMENT if "agreement" in gates else "",
    )
    assert lint_plan(plan).faults == ()


@pytest.mark.req("O2")
def test_every_kind_and_option_is_on_the_page() -> None:
    """A kind that nobody can read about is as good as missing."""
    for kind in kinds():
        assert f"`{kind}`" in TEXT
    for option in set(Gate.model_fields) - {"name", "metric", "kind", "quantile"}:
        assert option in TEXT

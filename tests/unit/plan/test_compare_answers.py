"""The page on comparing answers: its plan is good, and it knows every way and every option."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from switchover.plan.agreement import FieldRule
from switchover.plan.load import lint_plan

PAGE = (Path(__file__).parents[3] / "docs/how-to/compare-answers.md").read_text("utf-8")
GATE = ("gates:\n", "gates:\n  - {metric: prediction_agreement_rate, at_least: 90%}\n")


@pytest.mark.req("O4")
def test_the_plan_of_the_page_is_good(write: Any) -> None:
    """No fault and no warning, in the summer for which it is written."""
    (section,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    report = lint_plan(write(GATE, add=section), now=datetime(2026, 6, 1, tzinfo=UTC))
    assert (report.faults, report.warnings) == ((), ())


@pytest.mark.req("O4")
def test_the_page_has_every_way_to_compare_and_every_option() -> None:
    """Nothing is left out of the table or the example."""
    ways = set(get_args(FieldRule.model_fields["compare"].annotation))
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == ways
    assert [name for name in FieldRule.model_fields if f"{name}:" not in PAGE] == []

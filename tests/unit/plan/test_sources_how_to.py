from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.load import lint_plan

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "read-other-metrics.md"
YAML = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
GATES = "gates:\n  - {metric: success_rate, at_least: 99%}\n"


@pytest.mark.req("O6")
@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_the_examples_of_the_how_to_are_plans(write: Any, text: str) -> None:
    """Each source of the page fits into the small plan, without a warning."""
    path = write((GATES, ""), add=text) if "gates:" in text else write(add=text)
    report = lint_plan(path)
    assert (report.faults, report.warnings) == ((), ())


def test_the_how_to_shows_every_kind_of_source() -> None:
    """Nobody has to guess one from the others."""
    assert {re.search(r"kind: (\w+)", text).group(1) for text in YAML} == {  # type: ignore[union-attr]
        "prometheus", "sql", "http",
    }  # fmt: skip

"""The examples of the pages on checklists, groups and the way back are plans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.load import lint_plan

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
STAGES = """\
stages:
  - {kind: shadow, bake: 1h}
  - {kind: canary, percent: 10, bake: 2h}
  - {kind: canary, percent: 100, bake: 3h}
"""


def example(page: str) -> str:
    """The first YAML example of a page."""
    found = re.search(r"```yaml\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.req("P13", "P7")
def test_a_checklist_of_all_items_needs_the_sections_that_do_them(write: Any) -> None:
    """The example says what is missing from the small plan, and nothing else."""
    found = lint_plan(write(add=example("prepare-a-migration.md"))).faults
    assert [fault.field for fault in found] == [f"checklist.items[{n}]" for n in (0, 1, 2)]


@pytest.mark.req("P7")
def test_the_example_of_a_group_is_a_plan(write: Any) -> None:
    """Without a fault."""
    text = example("move-several-together.md")
    report = lint_plan(write(("migration: shop\n", ""), add=text))
    assert report.faults == ()


@pytest.mark.req("INV5")
def test_the_example_of_stages_that_cost_something_is_a_plan(write: Any) -> None:
    """With a last stage, and somebody who approves."""
    rest = "  - {kind: canary, percent: 100}\napprovals: {approvers: [sam, kim]}\n"
    report = lint_plan(write((STAGES, example("roll-back.md") + rest)))
    assert (report.faults, report.warnings) == ((), ())

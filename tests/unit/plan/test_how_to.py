from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.load import lint_plan

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-plan.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
YAML = [text for language, text in BLOCKS if language == "yaml"]


@pytest.mark.req("P2")
def test_the_shortest_plan_of_the_how_to_is_a_plan(write: Any) -> None:
    """What a reader copies first has neither faults nor warnings."""
    report = lint_plan(write(text=YAML[0]))
    assert (report.faults, report.warnings) == ((), ())


@pytest.mark.req("P2")
def test_all_examples_of_the_how_to_make_one_plan(write: Any) -> None:
    """Every section's example fits with all the others; only recordings are not there yet."""
    overlay = next(text for text in YAML if text.startswith("# staging.yaml"))
    sections = [text for text in YAML[1:] if text is not overlay]
    Path("contracts").mkdir()
    schema = next(text for language, text in BLOCKS if language == "json")
    for name in ("search-v1", "search-v2"):
        Path(f"contracts/{name}.schema.json").write_text(schema, "utf-8")
    named = [write(text=text, name=f"{number}.yaml") for number, text in enumerate(sections)]
    report = lint_plan(write(text=YAML[0]), named)
    assert report.faults == ()
    assert {fault.field.rsplit(".", 1)[-1] for fault in report.warnings} == {
        "json_file",
        "recordings",
    }


@pytest.mark.req("P2")
def test_the_overlay_of_the_how_to_fits_its_plan(write: Any) -> None:
    """The last example is laid over the first."""
    overlay = next(text for text in YAML if text.startswith("# staging.yaml"))
    report = lint_plan(write(text=YAML[0]), [write(text=overlay, name="staging.yaml")])
    assert report.faults == ()


@pytest.mark.req("P2")
def test_the_message_in_the_how_to_is_the_real_one(write: Any) -> None:
    """The fault that the page shows is what lint says to that mistake."""
    shown = next(text for language, text in BLOCKS if language == "text").strip()
    lines = YAML[0].replace("percent: 10", "percnt: 10", 1)
    assert [str(fault) for fault in lint_plan(write(text=lines, name="shop.yaml")).faults] == [
        shown
    ]

"""The dry run of a rollback as Markdown: all that would happen, and nothing acts as markup."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.reporting.rollback_preview import preview_markdown

pytestmark = pytest.mark.req("R2", "P11")


def step(name: str, level: str, wave: int) -> dict[str, Any]:
    """A step of a preview."""
    return {"migration": "shop", "level": level, "wave": wave, "name": name, "method": "code",
            "words": "run bin/deploy | tee <log>", "limit": 300.0,
            "on_failure": "freeze"}  # fmt: skip


def preview(*steps: dict[str, Any], **more: Any) -> str:
    """The Markdown of a preview with these steps."""
    return preview_markdown({
        "migration": "shop", "level": "system", "component": "", "steps": steps,
        "traffic": ["send all traffic of shop to legacy"], "warnings": [], **more,
    })  # fmt: skip


def test_each_level_has_a_table_of_its_steps_in_order() -> None:
    """Steps of one number begin at the same time; a pipe and an angle bracket stay text."""
    told = preview(step("a", "service", 1), step("b", "service", 1), step("c", "system", 1))
    assert "at level **system** would at once:\n\n- send all traffic of shop to legacy" in told
    service, system = told.split("Then the service steps of shop:")[1].split(
        "Then the system steps of shop:"
    )
    row = "| 1 | **{}** | code | run bin/deploy \\| tee &lt;log&gt; | 5 min | freeze |"
    assert [row.format(name) in service for name in "abc"] == [True, True, False]
    assert row.format("c") in system


def test_a_component_is_named_and_warnings_are_told() -> None:
    """Where nothing follows it says so."""
    told = preview(level="component", component="tool_dispatcher", warnings=["step a may not run"])
    assert "at level **component tool\\_dispatcher**" in told
    assert told.endswith("No steps follow.\n\n**Warning:** step a may not run")

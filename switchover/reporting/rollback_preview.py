"""What a rollback would do, as Markdown: the dry run for people who look in Prefect."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from switchover.plan.units import spoken
from switchover.reporting.markdown import literal, markdown_table

_HEAD = ["#", "Step", "Method", "Does", "At most", "Where it fails"]


def preview_markdown(preview: Mapping[str, Any]) -> str:
    """A :class:`switchover.engine.rollback_preview.Preview` as plain JSON: what happens at once,
    the steps that follow, and what would go wrong. Steps of one number begin at the same time."""
    level = f"component {literal(preview['component'])}" if preview["component"] else (
        preview["level"]
    )  # fmt: skip
    parts = [
        f"A rollback of **{literal(preview['migration'])}** at level **{level}** would at once:",
        "\n".join(f"- {literal(line)}" for line in preview["traffic"]),
    ]
    for (name, stage), steps in groupby(preview["steps"], lambda s: (s["migration"], s["level"])):
        rows = [
            [str(step["wave"]), f"**{literal(step['name'])}**", step["method"],
             literal(step["words"]), spoken(step["limit"]), step["on_failure"]]
            for step in steps
        ]  # fmt: skip
        parts += [f"Then the {stage} steps of {literal(name)}:", _table(rows)]
    if not preview["steps"]:
        parts.append("No steps follow.")
    parts += [f"**Warning:** {literal(line)}" for line in preview["warnings"]]
    return "\n\n".join(parts)


def _table(rows: list[list[str]]) -> str:
    return markdown_table(_HEAD, "rlllrl", rows)

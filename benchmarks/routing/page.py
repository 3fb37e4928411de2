"""Figures as tables: plain ones for a terminal, Markdown ones put into a page written by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: What the end of a column's name says about its unit.
UNITS = {"_ns": "ns", "_ms": "ms", "_us": "µs", "_s": "s", "_mb": "MB", "_percent": "%"}

#: A table's cells, and which of its columns hold numbers.
Cells = tuple[list[list[str]], list[bool]]


def heading(column: str) -> str:
    """A column's name for people: ``added_p99_ms`` is ``added p99 (ms)``."""
    for ending, unit in UNITS.items():
        if column.endswith(ending):
            return f"{heading(column.removesuffix(ending))} ({unit})"
    if column.startswith("times_"):
        return f"× {heading(column.removeprefix('times_'))}"
    return column.replace("_", " ")


def cell(value: Any) -> str:
    """A value for people; a dash where a row has none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def cells(rows: Sequence[Mapping[str, Any]]) -> Cells:
    """Head and body, with the columns of all rows in the order in which they first came."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    body = [[cell(row.get(column)) for column in columns] for row in rows]
    numeric = [
        all(
            isinstance(row.get(column), int | float | None)
            and not isinstance(row.get(column), bool)
            for row in rows
        )
        for column in columns
    ]
    return [[heading(column) for column in columns], *body], numeric


def plain(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table for a terminal."""
    lines, numeric = cells(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same as a Markdown table."""
    lines, numeric = cells(rows)
    lines.insert(1, ["---:" if right else "---" for right in numeric])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(part: Mapping[str, Any]) -> str:
    """A part of the figures as Markdown: targets, table, and how each was set up."""
    pieces = [markdown(part["rows"])]
    if part.get("targets"):
        pieces.insert(0, markdown(part["targets"]))
    if part.get("notes"):
        pieces.append("\n".join(f"- {note}" for note in part["notes"]))
    settings = ", ".join(
        f"{heading(name)} {cell(value)}" for name, value in part["parameters"].items()
    )
    pieces.append(f"Measured {part['measured_at']} with: {settings}.")
    return "\n\n".join(pieces)


def fill(page: str, sections: Mapping[str, str]) -> str:
    """The page with each section between its two marks; ``ValueError`` where marks are missing.

    What was between them before goes, and nothing else.
    """
    for name, text in sections.items():
        begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no place for {name}: put in {begin} and {end}")
        before, after = pattern.split(page, maxsplit=1)
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page

"""The comparison of both systems for people: rows of words, and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.reporting import figures
from switchover.reporting.markdown import markdown_table

HEAD = ("Metric", "Legacy", "Candidate", "Difference", "Interval", "Ratio", "Reading")
_OUTCOMES = {"better": "✓ better", "worse": "✗ worse", "unclear": "no clear difference"}
#: What every table of figures needs beside it.
LEGEND = (
    "For people, not used for decisions: gates decide. The difference is candidate minus legacy, "
    "with an interval of 95 % that holds at any number of looks (of means: for many values)."
)

Row = tuple[str, str, str, str, str, str, str]


def rows(shown: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row for each figure of a comparison's stage."""
    return [_row(figure) for figure in shown]


def chief_rows(shown: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The figures that a short table has room for: shares, means and the 99th percentile."""
    return rows([figure for figure in shown if figure["figure"] not in ("p50", "p95")])


def comparison_markdown(document: Mapping[str, Any]) -> str:
    """A comparison as Markdown: all stages together, then each, newest first."""
    parts = [LEGEND]
    stages = document["stages"]
    if len(stages) > 1 and document.get("overall"):
        parts += ["## All stages", _table(document["overall"])]
    for stage in reversed(stages):
        parts += [f"## {stage['title']}", _table(stage["figures"])]
    if not stages:
        parts.append("No metric is known of both systems yet.")
    return "\n\n".join(parts) + "\n"


def amount(value: float | None, unit: str, *, sign: bool = False) -> str:
    """A figure in its unit; a difference with its sign."""
    if value is None:
        return "–"
    mark = "+" if sign and value > 0 else "-" if value < 0 else ""
    size = abs(value)
    if unit == "share":
        words = f"{100 * size:.3g}" + (" points" if sign else " %")
    elif unit == "seconds":
        words = figures.seconds(size)
    elif unit == "bytes":
        words = f"{size / 2**20:,.4g} MiB"
    else:
        words = f"{size:,.4g}" if size < 1e6 else f"{size:,.0f}"
    return mark + words


def _row(figure: Mapping[str, Any]) -> Row:
    unit = figure["unit"]
    name = figure["metric"] if figure["figure"] == "share" else (
        f"{figure['metric']} {figure['figure']}")  # fmt: skip
    ratio = figure["ratio"]
    return (
        name,
        amount(figure["legacy"], unit),
        amount(figure["candidate"], unit),
        amount(figure["difference"], unit, sign=True),
        _interval(figure),
        "–" if ratio is None else f"{ratio:.3g} ×",
        _OUTCOMES.get(figure["outcome"], figure["outcome"] or "–"),
    )


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["basis"] == "none":
        return "–"
    ends = [amount(figure[end], figure["unit"], sign=True) for end in ("low", "high")]
    return " to ".join("any" if end == "–" else end for end in ends)


def _table(shown: Sequence[Mapping[str, Any]]) -> str:
    return markdown_table(HEAD, "lrrrrrl", rows(shown))

"""The figures as one picture: a panel for each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

# Okabe and Ito's palette, as in the project's other pictures.
OURS, PEERS, SPREAD = "#0072B2", "#6b6b6b", "#000000"


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn of a part: of the rows in ``shown`` the ``value``, named by ``label``."""

    axis: str
    value: str
    label: Callable[[Mapping[str, Any]], str]
    ours: Callable[[Mapping[str, Any]], bool]
    low: str = ""
    high: str = ""
    logarithmic: bool = True
    shown: Callable[[Mapping[str, Any]], bool] = lambda row: True


def _what(row: Mapping[str, Any]) -> str:
    return str(row["what"])


def _is_ours(row: Mapping[str, Any]) -> bool:
    return "switchover" in str(row).lower()


PANELS = {
    "decisions": Panel(
        "ns per decision (point: median; line: p10 to p90)",
        "median_ns", _what, _is_ours, "p10_ns", "p90_ns",
    ),
    "shadow": Panel(
        "ms that a caller waits (point: p50; line: to p99)",
        "p50_ms",
        _what,
        _is_ours,
        "p50_ms",
        "p99_ms",
    ),
    "propagation": Panel(
        "ms until the last of the processes (point: p50; line: to p99)",
        "p50_ms",
        lambda row: f"{row['what']}, {row['load']}",
        lambda row: "publish" not in row["what"],
        "p50_ms",
        "p99_ms",
    ),
    "proxying": Panel(
        "requests per second at full load",
        "requests_per_second",
        lambda row: str(row["front"]),
        _is_ours,
        logarithmic=False,
        shown=lambda row: row["what"] == "throughput",
    ),
}  # fmt: skip


def draw(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """An SVG with a panel for each of ``parts`` that has one."""
    # Not pyplot: it keeps global state. The salt makes the same figures the same file.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = {
        name: [row for row in parts[name]["rows"] if panel.shown(row)]
        for name, panel in PANELS.items()
        if name in parts
    }
    heights = [len(rows) + 2 for rows in shown.values()]
    stream = BytesIO()
    with rc_context({"svg.hashsalt": "routing", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 0.28 * sum(heights) + 0.6), layout="constrained")
        places = figure.subplots(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, (name, rows) in zip(places, shown.items(), strict=True):
            _marks(axes, PANELS[name], rows)
            axes.set_title(parts[name]["title"], loc="left", fontweight="bold")
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    # Matplotlib leaves blanks at the ends of lines.
    lines = stream.getvalue().decode().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _marks(axes: Any, panel: Panel, rows: list[Mapping[str, Any]]) -> None:
    """A bar per row; a point where the scale is logarithmic, on which a bar has no beginning."""
    values, places = [row[panel.value] for row in rows], range(len(rows))
    colours = [OURS if panel.ours(row) else PEERS for row in rows]
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.scatter(values, places, color=colours, s=36, zorder=3)
        axes.grid(axis="x", alpha=0.25)
    else:
        axes.barh(places, values, color=colours, height=0.7)
    if panel.high:
        ends = [row[panel.low] for row in rows], [row[panel.high] for row in rows]
        axes.hlines(places, *ends, color=colours, linewidth=2)
    for place, (value, row) in enumerate(zip(values, rows, strict=True)):
        axes.annotate(
            f"{value:,.3g}" if value < 1000 else f"{value:,.0f}",
            (row[panel.high] if panel.high else value, place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(places, [panel.label(row) for row in rows])
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.set_xlabel(panel.axis)
    axes.spines[["top", "right"]].set_visible(False)

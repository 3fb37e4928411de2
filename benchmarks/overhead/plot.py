"""The figures as one picture: a panel for each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

# Okabe and Ito's palette, as in the project's other pictures.
OURS, OTHER, LIMIT = "#0072B2", "#E69F00", "#6b6b6b"

Part = Mapping[str, Any]


def draw(parts: Mapping[str, Part]) -> str:
    """An SVG with a panel for each of ``parts``."""
    # Not pyplot: it keeps global state. The salt makes the same figures the same file.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stream = BytesIO()
    with rc_context({"svg.hashsalt": "overhead", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 2.6 * len(parts) + 0.4), layout="constrained")
        places = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
        for axes, (name, part) in zip(places, parts.items(), strict=True):
            PANELS[name](axes, part)
            axes.set_title(part["title"], loc="left", fontweight="bold")
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    # Matplotlib leaves blanks at the ends of lines.
    lines = stream.getvalue().decode().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _idle(axes: Any, part: Part) -> None:
    _spans(axes, part, lambda row: f"{row['what']}, {row['how']}")


def _approval(axes: Any, part: Part) -> None:
    _spans(axes, part, lambda row: f"{row['what']}, step taken by {row['step_taken_by']}")


def _spans(axes: Any, part: Part, label: Callable[[Part], str]) -> None:
    """A point at the median, a line from the 10th to the 90th percentile."""
    rows, places = part["rows"], range(len(part["rows"]))
    axes.set_xscale("log")
    axes.scatter([row["median_ms"] for row in rows], places, color=OURS, s=36, zorder=3)
    low = [max(row["p10_ms"], 0.1) for row in rows]
    axes.hlines(places, low, [row["p90_ms"] for row in rows], color=OURS, linewidth=2)
    for place, row in enumerate(rows):
        axes.annotate(
            f"{row['median_ms']:,.4g}", (row["p90_ms"], place), xytext=(7, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set_yticks(places, [label(row) for row in rows])
    axes.margins(x=0.15, y=0.15)
    axes.invert_yaxis()
    axes.set_xlabel("ms (point: median; line: p10 to p90)")
    axes.grid(axis="x", alpha=0.25)


def _sweeps(axes: Any, part: Part) -> None:
    kinds = list(dict.fromkeys(row["what"] for row in part["rows"]))
    for kind, colour, mark in zip(kinds, (OURS, OTHER, LIMIT), "os^", strict=False):
        rows = [row for row in part["rows"] if row["what"] == kind]
        sizes, times = [r["migrations"] for r in rows], [r["median_s"] for r in rows]
        axes.plot(sizes, times, color=colour, marker=mark, label=kind)
    axes.axhline(10, color=LIMIT, linestyle="--", linewidth=1)
    axes.annotate("the limit for 1,000", (10, 10), xytext=(0, 4), textcoords="offset points",
                  fontsize=8, color=LIMIT)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("migrations")
    axes.set_ylabel("seconds")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)


def _memory(axes: Any, part: Part) -> None:
    rows = part["rows"]
    axes.plot([r["sweeps"] for r in rows], [r["resident_mb"] for r in rows], color=OURS, marker="o")
    axes.set_ylim(0, 1.25 * max(row["resident_mb"] for row in rows))
    axes.set_xlabel("sweeps after the warm-up")
    axes.set_ylabel("MB resident")
    axes.grid(alpha=0.25)


PANELS: dict[str, Callable[[Any, Part], None]] = {
    "idle": _idle,
    "approval": _approval,
    "sweeps": _sweeps,
    "memory": _memory,
}

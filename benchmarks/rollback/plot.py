"""The figures as one picture: every way back on one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

# Okabe and Ito's palette, as in the project's other pictures.
OURS, SEEING, PROXY, OTHER = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"

#: Milliseconds at which the scale begins: a last request may come before the order.
LEAST = 0.1

Row = Mapping[str, Any]

#: Label and colour of a row of each part.
PARTS: dict[str, tuple[Callable[[Row], str], str]] = {
    "turning": (
        lambda row: f"routers in {row['router_processes']}, {row['down']} down", OURS,
    ),
    "redis_down": (
        lambda row: f"routers in {row['router_processes']}, Redis down, max_staleness "
                    f"{row['max_staleness_s']:g} s", OURS,
    ),
    "haproxy": (lambda row: str(row["what"]), PROXY),
    "restart": (lambda row: f"rolling restart of {row['processes']}", OTHER),
    "detection": (
        lambda row: f"from the first bad answer: {row['candidate_percent']:g} %, {row['judges']}, "
                    f"{row['database']}", SEEING,
    ),
}  # fmt: skip


def spread_of(row: Row) -> tuple[float, float] | None:
    """Milliseconds at the middle and at the end of a row; None for one that is no time."""
    if "p50_ms" in row:
        return row["p50_ms"], row["p99_ms"]
    if "p50_s" in row:
        return 1e3 * row["p50_s"], 1e3 * row["max_s"]
    return None


def draw(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """An SVG with a line for each row: a point at p50, up to p99, or to the slowest of few."""
    # Not pyplot: it keeps global state. The salt makes the same figures the same file.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    lines = [
        (label(row), colour, *(max(end, LEAST) for end in ends))
        for name, (label, colour) in PARTS.items()
        for row in parts.get(name, {}).get("rows", ())
        if (ends := spread_of(row)) is not None
    ]
    stream = BytesIO()
    with rc_context({"svg.hashsalt": "rollback", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 0.28 * len(lines) + 1.1), layout="constrained")
        axes = figure.subplots()
        axes.set_xscale("log")
        for place, (_, colour, middle, high) in enumerate(lines):
            axes.hlines(place, middle, high, color=colour, linewidth=2)
            axes.scatter([middle], [place], color=colour, s=36, zorder=3)
            axes.annotate(f"{high:,.4g}", (high, place), xytext=(7, 0), va="center",
                          textcoords="offset points", fontsize=8)  # fmt: skip
        axes.set_yticks(range(len(lines)), [label for label, *_ in lines])
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(
            "ms from the order, or the first bad answer, to the candidate's last request (to p99)"
        )
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    # Matplotlib leaves blanks at the ends of lines.
    return "\n".join(line.rstrip() for line in stream.getvalue().decode().splitlines()) + "\n"

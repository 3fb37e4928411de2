"""The comparison as a picture: each difference with its interval, beside the line of no change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.reporting.canvas import GREEN, GREY, VERMILLION, figure_of, picture

_COLOURS = {"better": GREEN, "worse": VERMILLION}


def comparison_plot(
    shown: Sequence[Mapping[str, Any]], *, title: str = "Candidate against legacy"
) -> bytes:
    """Shares in percentage points on the left, values in per cent of legacy's on the right.

    Green is better beyond doubt and red is worse; grey is not decided. Figures without an
    interval are hollow. Gives a PNG.
    """
    shares = [_bar(figure, 100.0) for figure in shown if figure["unit"] == "share"]
    values = [
        _bar(figure, 100.0 / figure["legacy"])
        for figure in shown
        if figure["unit"] != "share" and figure["figure"] != "count" and figure["legacy"]
    ]
    panels = [
        (bars, label)
        for bars, label in ((shares, "difference (percentage points)"),
                            (values, "difference (% of legacy)"))
        if bars
    ]  # fmt: skip
    tallest = max([len(bars) for bars, _ in panels], default=1)
    figure = figure_of(9, 1.5 + 0.34 * tallest)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    if not panels:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no metric is known of both systems yet", ha="center", color=GREY)
        return picture(figure)
    for axes, (bars, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels,
                                   strict=True):  # fmt: skip
        _draw(axes, bars, label)
    return picture(figure)


#: name, difference, low, high, outcome, whether there is an interval
_Bar = tuple[str, float, float | None, float | None, str, bool]


def _bar(figure: Mapping[str, Any], scale: float) -> _Bar:
    name = figure["metric"] if figure["figure"] == "share" else (
        f"{figure['metric']} {figure['figure']}")  # fmt: skip
    low, high = (None if figure[end] is None else figure[end] * scale for end in ("low", "high"))
    return (name, (figure["difference"] or 0.0) * scale, low, high, figure["outcome"],
            figure["basis"] != "none")  # fmt: skip


def _draw(axes: Any, bars: Sequence[_Bar], label: str) -> None:
    ends = [0.0] + [abs(value) for _, *some, _, _ in bars for value in some if value is not None]
    reach = 1.15 * (max(ends) or 1.0)
    for row, (_, value, low, high, outcome, interval) in enumerate(reversed(bars)):
        colour = _COLOURS.get(outcome, GREY)
        if interval:
            span = (-reach if low is None else low, reach if high is None else high)
            axes.plot(span, (row, row), color=colour, linewidth=2.2, alpha=0.6)
        axes.plot([value], [row], "o", color=colour, markersize=6,
                  markerfacecolor=colour if interval else "white")  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.9)
    axes.set_yticks(range(len(bars)), [bar[0] for bar in reversed(bars)], fontsize=8)
    axes.set_ylim(-0.7, len(bars) - 0.3)
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.25)

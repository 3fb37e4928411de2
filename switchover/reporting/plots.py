"""Pictures: agreement over time beside the split, and evidence over time."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

from switchover.reporting.axes import (
    StageChange,
    date_axis,
    draw_split,
    mark_stages,
    moment_of,
    span_of,
)
from switchover.reporting.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    figure_of,
    picture,
)

_LINES = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#000000", "#F0E442")
_STYLES = ("-", "--", "-.", ":")
_LEAST_EVIDENCE = 0.01
#: How verdicts are marked; shapes tell them apart without colour.
_VERDICTS = {"promote": ("^", GREEN), "hold": ("s", ORANGE), "rollback": ("X", VERMILLION)}


def agreement_plot(
    points: Sequence[Mapping[str, Any]],
    limit: float | None,
    stages: Sequence[StageChange] = (),
    *,
    title: str = "Agreement of candidate and legacy",
) -> bytes:
    """Share of pairs that agree per interval, against ``limit`` (the least share, 0 to 1).

    ``points`` are `Ledger.rates` (``at, n, bad``; other systems than ``pair`` are left out).
    Below it the split that the stages showed, and how many pairs each interval had. The band
    is a 95 % Wilson interval of each point alone, for the eye: no gate uses it.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

    figure = _figure(5.2)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(4, 1.2, 1.2))
    known = [p for p in points if p["n"] and p.get("system", "pair") == "pair"]
    known.sort(key=lambda point: float(point["at"]))
    times = [moment_of(point["at"]) for point in known]
    rates = [100 * (1 - point["bad"] / point["n"]) for point in known]
    bands = [_wilson(point["n"] - point["bad"], point["n"]) for point in known]
    lowest = min([*(low for low, _ in bands), *([100 * limit] if limit is not None else []), 95.0])

    begin, end = span_of([*times, *(moment_of(at) for at, _, _ in stages)])
    top.set_xlim(begin, end)
    labels = mark_stages((top, middle, bottom), stages, begin, end)
    top.set_title(title, loc="left", fontweight="bold", pad=8 + 12 * labels)
    if known:
        lows, highs = zip(*bands, strict=True)
        for run in _runs(known):
            top.fill_between(
                times[run],
                lows[run],
                highs[run],
                color=BLUE,
                alpha=0.15,
                linewidth=0,
                label="" if run.start else "95 % interval of each point",
            )
            top.plot(
                times[run],
                rates[run],
                "o-",
                color=BLUE,
                markersize=3,
                linewidth=1.4,
                label="" if run.start else "agreement",
            )
    else:
        top.text(0.5, 0.5, "no pairs yet", transform=top.transAxes, ha="center", color=GREY)
    if limit is not None:
        top.axhline(100 * limit, color=VERMILLION, linestyle="--", linewidth=1.4,
                    label=f"rollback limit {100 * limit:g} %")  # fmt: skip
    # The room below the lowest point is the legend's.
    top.set_ylim(lowest - 0.2 * (100 - lowest), 100.8)
    top.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    top.yaxis.set_major_formatter(FuncFormatter(_no_less_than_nothing))
    top.set_ylabel("agreeing pairs (%)")
    if top.get_legend_handles_labels()[0]:
        top.legend(loc="lower left", edgecolor="none", framealpha=0.9, ncols=3, fontsize=8)

    draw_split(middle, stages, end)
    if known:
        bottom.bar(times, [p["n"] for p in known], width=_width(known), color=GREY, align="center")
    bottom.set_ylabel("pairs")
    bottom.set_ylim(bottom=0)
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    bottom.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    date_axis(bottom, empty=not (known or stages))
    return picture(figure)


def evidence_plot(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    rollback_at: float = 100.0,
    freeze_at: float = 10.0,
    title: str = "Evidence against the candidate",
    stages: Sequence[StageChange] = (),
    marks: Sequence[tuple[float, str]] = (),
    kind: str = "png",
) -> bytes:
    """Evidence over time, one line per gate (``(at, evidence)`` pairs), on a logarithmic scale.

    The lines that matter are drawn: from ``freeze_at`` the split is not raised, and a sum of
    ``rollback_at`` rolls back. A line is cut off below 0.01 and far above the rollback. With
    ``stages``, the split they showed is drawn below; ``marks`` are verdicts (promote, hold,
    rollback) and when each began. ``kind`` is png or svg.
    """
    from matplotlib.ticker import FuncFormatter

    figure = _figure(5.0 if stages else 3.8)
    panels = [figure.subplots()] if not stages else [
        *figure.subplots(2, 1, sharex=True, height_ratios=(4, 1.2))
    ]  # fmt: skip
    axes, labels = panels[0], 0
    if stages:
        moments = [at for pairs in series.values() for at, _ in pairs]
        begin, end = span_of([moment_of(at) for at in (*moments, *(at for at, _, _ in stages))])
        axes.set_xlim(begin, end)
        labels = mark_stages(panels, stages, begin, end)
        draw_split(panels[1], stages, end)
    axes.set_title(title, loc="left", fontweight="bold", pad=8 + 12 * labels)
    ceiling = rollback_at * 1e3
    for place, (name, pairs) in enumerate(series.items()):
        axes.plot(
            [moment_of(at) for at, _ in pairs],
            [min(max(value, _LEAST_EVIDENCE), ceiling) for _, value in pairs],
            color=_LINES[place % len(_LINES)],
            linestyle=_STYLES[place % len(_STYLES)],
            linewidth=1.6,
            label=name,
        )
    axes.set_yscale("log")
    highest = max((value for pairs in series.values() for _, value in pairs), default=1.0)
    axes.set_ylim(_LEAST_EVIDENCE, min(ceiling, max(highest, rollback_at) * 4))
    for value, name in ((freeze_at, "freezes the split"), (rollback_at, "rolls back")):
        axes.axhline(value, color=VERMILLION, linewidth=1.1, linestyle=(0, (5, 2)))
        axes.annotate(f"{value:g}: {name}", (1, value), xycoords=("axes fraction", "data"),
                      xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=8,
                      color=VERMILLION)  # fmt: skip
    axes.set_ylabel("evidence (1 says nothing)")
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    else:
        axes.text(0.5, 0.5, "no evidence yet", transform=axes.transAxes, ha="center", color=GREY)
    for at, verdict in marks:
        sign, colour = _VERDICTS[verdict]
        axes.plot([moment_of(at)], [0.03], sign, color=colour, markersize=7, clip_on=False,
                  transform=axes.get_xaxis_transform(), gid=f"verdict-{verdict}")  # fmt: skip
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(axis="y", alpha=0.25)
    date_axis(panels[-1], empty=not any(series.values()))
    return picture(figure, kind)


def data_uri(png: bytes) -> str:
    """The picture as an address that carries it, for image artifacts and HTML."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _figure(height: float) -> Any:
    return figure_of(9, height)


def _no_less_than_nothing(value: float, _: int) -> str:
    return f"{value:g}" if value >= 0 else ""


def _runs(points: Sequence[Mapping[str, Any]]) -> Iterator[slice]:
    """Stretches without a gap: where no pairs were compared, nothing is drawn."""
    moments = [float(point["at"]) for point in points]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    longest = 3 * min((gap for gap in gaps if gap > 0), default=0.0)
    begin = 0
    for place, gap in enumerate(gaps, start=1):
        if gap > longest:
            yield slice(begin, place)
            begin = place
    yield slice(begin, len(moments))


def _width(points: Sequence[Mapping[str, Any]]) -> float:
    """The bars' width in days: most of the shortest distance between two points."""
    moments = [float(point["at"]) for point in points]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    return 0.8 * min((gap for gap in gaps if gap > 0), default=60.0) / 86_400


def _wilson(good: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, in per cent (Wilson 1927)."""
    share, spread = good / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)

"""Pictures: agreement over time beside the split, and evidence over time."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import sqrt
from typing import Any

from switchover.reporting.canvas import figure_of, picture

#: Okabe and Ito's palette, told apart by people with any kind of colour vision.
_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#6b6b6b"
_LINES = (_BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
_STYLES = ("-", "--", "-.", ":")
_LEAST_EVIDENCE = 0.01
#: How verdicts are marked; shapes tell them apart without colour.
_VERDICTS = {"promote": ("^", "#009E73"), "hold": ("s", "#E69F00"), "rollback": ("X", _VERMILLION)}
#: The width of a letter of a stage's name, as a share of the panel's.
_LETTER = 0.0088

#: (when it began, its title, the candidate's share in per cent)
StageChange = tuple[float, str, float]


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
    times = [_time(point["at"]) for point in known]
    rates = [100 * (1 - point["bad"] / point["n"]) for point in known]
    bands = [_wilson(point["n"] - point["bad"], point["n"]) for point in known]
    lowest = min([*(low for low, _ in bands), *([100 * limit] if limit is not None else []), 95.0])

    begin, end = _span([*times, *(_time(at) for at, _, _ in stages)])
    top.set_xlim(begin, end)
    labels = _mark_stages((top, middle, bottom), stages, begin, end)
    top.set_title(title, loc="left", fontweight="bold", pad=8 + 12 * labels)
    if known:
        lows, highs = zip(*bands, strict=True)
        for run in _runs(known):
            top.fill_between(
                times[run],
                lows[run],
                highs[run],
                color=_BLUE,
                alpha=0.15,
                linewidth=0,
                label="" if run.start else "95 % interval of each point",
            )
            top.plot(
                times[run],
                rates[run],
                "o-",
                color=_BLUE,
                markersize=3,
                linewidth=1.4,
                label="" if run.start else "agreement",
            )
    else:
        top.text(0.5, 0.5, "no pairs yet", transform=top.transAxes, ha="center", color=_GREY)
    if limit is not None:
        top.axhline(100 * limit, color=_VERMILLION, linestyle="--", linewidth=1.4,
                    label=f"rollback limit {100 * limit:g} %")  # fmt: skip
    # The room below the lowest point is the legend's.
    top.set_ylim(lowest - 0.2 * (100 - lowest), 100.8)
    top.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    top.yaxis.set_major_formatter(FuncFormatter(_no_less_than_nothing))
    top.set_ylabel("agreeing pairs (%)")
    if top.get_legend_handles_labels()[0]:
        top.legend(loc="lower left", edgecolor="none", framealpha=0.9, ncols=3, fontsize=8)

    _draw_split(middle, stages, end)
    if known:
        bottom.bar(times, [p["n"] for p in known], width=_width(known), color=_GREY, align="center")
    bottom.set_ylabel("pairs")
    bottom.set_ylim(bottom=0)
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    bottom.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _date_axis(bottom, empty=not (known or stages))
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
        begin, end = _span([_time(at) for at in (*moments, *(at for at, _, _ in stages))])
        axes.set_xlim(begin, end)
        labels = _mark_stages(panels, stages, begin, end)
        _draw_split(panels[1], stages, end)
    axes.set_title(title, loc="left", fontweight="bold", pad=8 + 12 * labels)
    ceiling = rollback_at * 1e3
    for place, (name, pairs) in enumerate(series.items()):
        axes.plot(
            [_time(at) for at, _ in pairs],
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
        axes.axhline(value, color=_VERMILLION, linewidth=1.1, linestyle=(0, (5, 2)))
        axes.annotate(f"{value:g}: {name}", (1, value), xycoords=("axes fraction", "data"),
                      xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=8,
                      color=_VERMILLION)  # fmt: skip
    axes.set_ylabel("evidence (1 says nothing)")
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    else:
        axes.text(0.5, 0.5, "no evidence yet", transform=axes.transAxes, ha="center", color=_GREY)
    for at, verdict in marks:
        sign, colour = _VERDICTS[verdict]
        axes.plot([_time(at)], [0.03], sign, color=colour, markersize=7, clip_on=False,
                  transform=axes.get_xaxis_transform(), gid=f"verdict-{verdict}")  # fmt: skip
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(axis="y", alpha=0.25)
    _date_axis(panels[-1], empty=not any(series.values()))
    return picture(figure, kind)


def data_uri(png: bytes) -> str:
    """The picture as an address that carries it, for image artifacts and HTML."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _figure(height: float) -> Any:
    return figure_of(9, height)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


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


def _draw_split(axes: Any, stages: Sequence[StageChange], end: datetime) -> None:
    if stages:
        times = [*(_time(at) for at, _, _ in stages), end]
        shares = [*(share for _, _, share in stages), stages[-1][2]]
        axes.step(times, shares, where="post", color="#009E73", linewidth=1.8)
        axes.fill_between(times, shares, step="post", color="#009E73", alpha=0.2, linewidth=0)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("split (%)")


def _mark_stages(
    panels: Sequence[Any], stages: Sequence[StageChange], begin: datetime, end: datetime
) -> int:
    """A line for each stage through all panels, its name above; gives the rows of names."""
    ends: list[float] = []  # where each row of names is free again, as a share of the width
    for at, name, _ in stages:
        for axes in panels:
            axes.axvline(_time(at), color=_GREY, linewidth=0.8, alpha=0.5)
        left = (_time(at) - begin) / (end - begin)
        width = _LETTER * len(name) + 0.01
        from_right = left + width > 1
        if from_right:
            left -= width
        free = [row for row, taken in enumerate(ends) if taken <= left]
        row = free[0] if free else len(ends)
        ends[row : row + 1] = [left + width]
        panels[0].annotate(name, (_time(at), 1), xycoords=("data", "axes fraction"),
                           xytext=(-1 if from_right else 1, 4 + 12 * row),
                           textcoords="offset points", ha="right" if from_right else "left",
                           fontsize=8, color=_GREY, annotation_clip=False)  # fmt: skip
    return len(ends)


def _span(times: Sequence[datetime]) -> tuple[datetime, datetime]:
    """The first and the last moment, with a little room on both sides."""
    if not times:
        return _time(0), _time(60)
    room = max(timedelta(seconds=1), (max(times) - min(times)) * 0.02)
    return min(times) - room, max(times) + room


def _date_axis(axes: Any, *, empty: bool = False) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_xlabel("time (UTC)")
    if empty:
        axes.set_xticks([])
        return
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))

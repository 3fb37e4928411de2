"""The picture of an incident: the metric that fired, the split, and the trigger marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from textwrap import fill, shorten
from typing import Any, Literal

from switchover.judge.block import Block
from switchover.judge.sketch import merge, quantile
from switchover.plan.catalogue import METRICS
from switchover.reporting.axes import (
    StageChange,
    date_axis,
    draw_split,
    mark_stages,
    moment_of,
    span_of,
)
from switchover.reporting.canvas import BLUE, GREEN, GREY, VERMILLION, figure_of, picture

#: How much before the trigger, and after it, is shown, in seconds.
BEFORE, AFTER = 7200.0, 900.0
_BINS = 60
_SYSTEMS = {
    "legacy": (BLUE, "o-"), "candidate": (VERMILLION, "s-"), "pair": (BLUE, "o-"),
}  # fmt: skip
_OTHERS = (GREEN, "^-")
#: From so many seconds on a time is told in seconds.
_LONG = 10.0

#: system -> (when, value)
Series = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Fired:
    """What fired, and how it is read over time: the ``share`` of bad observations of a yes or no,
    a ``quantile`` ``q`` or the ``mean`` of measured values, the number of bad ``events`` or of all
    ``observations``.

    ``limit`` is of the same kind; ``ratio`` is one of that many times legacy's. ``seconds`` says
    that values are times. Without a ``metric`` nothing can be drawn, and ``said`` stands there.
    """

    metric: str = ""
    name: str = ""
    reads: Literal["share", "quantile", "mean", "events", "observations"] = "share"
    q: float = 0.99
    limit: float | None = None
    ratio: float | None = None
    seconds: bool = False
    said: str = ""

    @property
    def title(self) -> str:
        """The metric, and what watches it where that has a name of its own."""
        own = self.name and self.name != self.metric
        return f"{self.name} ({self.metric})" if own and self.metric else self.name or self.metric


def metric_series(
    blocks: Iterable[Block], fired: Fired, since: float, until: float
) -> dict[str, list[tuple[float, float]]]:
    """The metric over time per system, in equal intervals of the time in which there is anything;
    with a ``ratio`` what it allows, too."""
    kept = [
        block for block in blocks
        if block.metric == fired.metric and block.n and since <= block.start < until
    ]  # fmt: skip
    begin = min((block.start for block in kept), default=since)
    end = max((block.start + block.seconds for block in kept), default=until)
    width = max(1.0, (end - begin) / _BINS)
    bins: dict[tuple[str, int], list[Block]] = {}
    for block in kept:
        place = int((block.start - begin) // width)
        bins.setdefault((block.system, place), []).append(block)
    series: dict[str, list[tuple[float, float]]] = {}
    for (system, place), found in sorted(bins.items()):
        value = _value(found, fired)
        if isfinite(value):
            series.setdefault(system, []).append((begin + (place + 0.5) * width, value))
    return series


def incident_plot(
    series: Series,
    fired: Fired,
    *,
    stages: Sequence[StageChange],
    trigger_at: float,
    trigger: str,
    turned_at: float | None = None,
    title: str = "",
    kind: str = "png",
) -> bytes:
    """What fired over time, per system, with its limit; below it the split that served.

    The trigger is a line through both; ``turned_at`` is when the last router was on legacy.
    """
    figure = figure_of(9, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1.2))
    shown = [change for change in stages if change[0] <= trigger_at + AFTER]
    moments = [at for pairs in series.values() for at, _ in pairs]
    begin = max(min([*moments, *(at for at, _, _ in shown)], default=trigger_at),
                trigger_at - BEFORE)  # fmt: skip
    end = max([*moments, trigger_at, turned_at or 0.0])
    left, right = span_of([moment_of(begin), moment_of(end), moment_of(trigger_at)])
    top.set_xlim(left, right)
    within = _latest([(max(at, begin), name, split) for at, name, split in shown])
    labels = mark_stages((top, bottom), within, left, right)
    top.set_title(shorten(title or fired.title, 90, placeholder=" …"), loc="left",
                  fontweight="bold", pad=8 + 12 * labels)  # fmt: skip
    if series:
        _draw_metric(top, series, fired)
    else:
        said = fired.said or (f"no {fired.metric} was recorded" if fired.metric else
                              "nothing measured fired: it was asked for")  # fmt: skip
        top.text(0.5, 0.5, fill(shorten(said, 300, placeholder=" …"), 80),
                 transform=top.transAxes, ha="center", va="center", color=GREY)  # fmt: skip
        top.set_yticks([])
    for axes in (top, bottom):
        axes.axvline(moment_of(trigger_at), color="black", linewidth=1.4, gid="trigger")
        if turned_at is not None:
            axes.axvline(moment_of(turned_at), color=GREY, linewidth=1.2, linestyle=":",
                         gid="turned")  # fmt: skip
    told = f"trigger: {shorten(trigger, 60, placeholder=' …')}"
    if turned_at is not None:
        told += f"\nrouters turned {turned_at - trigger_at:.2f} s later"
    # On the side that has room for it.
    late = (moment_of(trigger_at) - left) / (right - left) > 0.4
    top.annotate(told, (moment_of(trigger_at), 0.98), xycoords=("data", "axes fraction"),
                 xytext=(-4 if late else 4, 0), textcoords="offset points",
                 ha="right" if late else "left", va="top", fontsize=8,
                 bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})  # fmt: skip
    draw_split(bottom, within, right)
    date_axis(bottom)
    return picture(figure, kind)


def _draw_metric(axes: Any, series: Series, fired: Fired) -> None:
    """A line for each system, or a bar for each interval with events; and the limit."""
    from matplotlib.ticker import MaxNLocator

    drawn = dict(series)
    if fired.ratio is not None:
        allowed = [(at, fired.ratio * value) for at, value in series.get("legacy", ())]
        drawn |= {"allowed": allowed} if allowed else {}
    highest = max([*(v for pairs in drawn.values() for _, v in pairs), fired.limit or 0.0])
    scale, unit = _scale(fired, highest)
    suffix = "" if unit.startswith("events") else f" {unit.removeprefix('bad, ')}"
    for system, pairs in sorted(drawn.items()):
        colour, style = _SYSTEMS.get(system, _OTHERS)
        times, values = [moment_of(at) for at, _ in pairs], [scale * value for _, value in pairs]
        if system == "allowed":
            axes.plot(times, values, "--", color=VERMILLION, linewidth=1.2,
                      label=f"allowed: {fired.ratio:g} times\nlegacy's")  # fmt: skip
        elif fired.reads == "events":
            axes.vlines(times, 0, values, color=colour, linewidth=3, label=system)
        else:
            axes.plot(times, values, style, color=colour, markersize=3, linewidth=1.4, label=system)
    if fired.limit is not None:
        axes.axhline(scale * fired.limit, color=VERMILLION, linestyle="--", linewidth=1.2,
                     label=f"limit {scale * fired.limit:.4g}{suffix}")  # fmt: skip
    axes.set_ylim(0, scale * highest * 1.3 or 1.0)  # the room at the top is the trigger's name's
    if fired.reads == "events":
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel(f"{fired.metric} ({unit})")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)


def _value(blocks: Sequence[Block], fired: Fired) -> float:
    n, bad = sum(block.n for block in blocks), sum(block.bad for block in blocks)
    if fired.reads in ("events", "observations"):
        return float(bad if fired.reads == "events" else n)
    if fired.reads == "share":
        return bad / n
    if fired.reads == "mean":
        return sum(block.total for block in blocks) / n
    found = quantile(merge([block.sketch for block in blocks if block.sketch]), fired.q)
    return inf if found is None else found


def _latest(changes: Sequence[StageChange]) -> list[StageChange]:
    """Of several stages before the picture begins only the last one."""
    kept: list[StageChange] = []
    for change in changes:
        if kept and kept[-1][0] >= change[0]:
            kept.pop()
        kept.append(change)
    return kept


def _scale(fired: Fired, highest: float) -> tuple[float, str]:
    """What to multiply by, and the unit for the axis."""
    if fired.reads == "share":
        return 100.0, "bad, %"
    if fired.reads in ("events", "observations"):
        return 1.0, f"{fired.reads} in each interval"
    how = f"p{100 * fired.q:g}, " if fired.reads == "quantile" else "mean, "
    if fired.seconds:
        return (1.0, f"{how}s") if highest >= _LONG else (1000.0, f"{how}ms")
    known = METRICS.get(fired.metric)
    return (1 / 2**20, f"{how}MiB") if known and known.unit == "bytes" else (1.0, how[:-2])

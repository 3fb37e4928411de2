"""A forecast as a picture: the split over the days to come, and when each gate decides."""

from __future__ import annotations

from typing import Any

from switchover.judge.reading import lasting
from switchover.plan.forecast import Forecast, GateForecast, StageForecast
from switchover.reporting.canvas import GREEN, GREY, VERMILLION, figure_of, picture

_UNITS = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "hours"), (0.0, 60.0, "minutes"))


def forecast_plot(forecast: Forecast, kind: str = "svg") -> bytes:
    """The split as steps; below, a bar per gate and stage from its beginning to its decision.

    A bar beyond the bake time is red, and one that never ends is hatched.
    """
    stages = forecast.stages
    names = list(dict.fromkeys(gate.gate for stage in stages for gate in stage.gates))
    end = max([stage.begins + _lasts(stage) for stage in stages], default=60.0)
    size, unit = next((size, unit) for least, size, unit in _UNITS if end >= least)
    figure = figure_of(9, 2.6 + 0.34 * max(1, len(names)))
    heights = (1.5, 0.34 * max(1, len(names)) + 0.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    title = f"Forecast of {forecast.migration} at {_rate(forecast.rate)}"
    top.set_title(title, loc="left", fontweight="bold", pad=20)
    times = [stage.begins / size for stage in stages] + [end / size]
    shares = [stage.split for stage in stages]
    if shares:
        top.step(times, [*shares, shares[-1]], where="post", color=GREEN, linewidth=1.8)
        top.fill_between(times, [*shares, shares[-1]], step="post", color=GREEN, alpha=0.2,
                         linewidth=0)  # fmt: skip
    top.set_ylim(0, 108)
    top.set_yticks([0, 50, 100])
    top.set_ylabel("split (%)")
    for stage in stages:
        for axes in (top, bottom):
            axes.axvline(stage.begins / size, color=GREY, linewidth=0.8, alpha=0.5)
        top.annotate(stage.title, (stage.begins / size, 1), xycoords=("data", "axes fraction"),
                     xytext=(1, 4), textcoords="offset points", fontsize=8, color=GREY,
                     annotation_clip=False)  # fmt: skip
        for gate in stage.gates:
            _bar(bottom, stage, gate, len(names) - 1 - names.index(gate.gate), size)
    bottom.set_yticks(range(len(names)), names[::-1])
    bottom.set_ylim(-0.6, len(names) - 0.4)
    bottom.set_xlabel(unit)
    bottom.set_xlim(0, 1.02 * end / size)
    bottom.grid(axis="x", alpha=0.25)
    return picture(figure, kind)


def _bar(axes: Any, stage: StageForecast, gate: GateForecast, row: int, size: float) -> None:
    if gate.note:
        return
    late = not gate.in_bake and bool(stage.bake)
    never = gate.seconds is None
    length = _lasts(stage) if gate.seconds is None else gate.seconds
    axes.barh(row, length / size, left=stage.begins / size, height=0.6,
              color="none" if never else VERMILLION if late else GREEN, alpha=0.85,
              edgecolor=VERMILLION if late or never else GREEN,
              hatch="////" if never else None)  # fmt: skip
    words = "never" if gate.seconds is None else lasting(gate.seconds)
    axes.annotate(words, (stage.begins / size, row), xytext=(3, 0), textcoords="offset points",
                  va="center", fontsize=7)  # fmt: skip


def _lasts(stage: StageForecast) -> float:
    """As long as its bake time where it never ends, and a minute at least."""
    return max(60.0, stage.bake if stage.seconds is None else stage.seconds)


def _rate(rate: float) -> str:
    if rate >= 1:
        return f"{rate:g} requests a second"
    return f"{rate * 3600:g} requests an hour"

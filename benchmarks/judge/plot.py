"""The picture: detection delay beside the false-alarm rate, one panel per traffic."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from benchmarks.judge.rule import LOOKS
from benchmarks.judge.scenarios import TRAFFIC
from benchmarks.judge.simulation import OURS, RULES, Row

#: Okabe and Ito's palette, told apart by people with any kind of colour vision.
_COLOURS = {"Switchover": "#000000", "Argo": "#D55E00", "Flagger": "#E69F00",
            "Kayenta": "#0072B2", "GrowthBook": "#009E73"}  # fmt: skip
_MARKERS = ("o", "s")
#: Where "not in a day" is drawn, and the least share that a logarithmic axis shows.
_NEVER, _LEAST = 2.2 * LOOKS, 0.05


def picture(rows: Mapping[tuple[str, str], Row]) -> str:
    """As SVG; the same text for the same rows."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter
    from matplotlib.transforms import ScaledTranslation

    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    panels = figure.subplots(1, len(TRAFFIC), sharey=True)
    for axes, traffic in zip(panels, TRAFFIC, strict=True):
        axes.set_title(f"{traffic} requests each", loc="left", fontsize=10)
        points = _points(rows, traffic)
        for place, (name, x, low, middle, high, marker) in enumerate(points):
            colour = _COLOURS[name.split()[0]]
            # Side by side where they would hide each other, as at both ends of the axis.
            before = sum(abs(other[1] - x) < 0.02 * x + 0.01 for other in points[:place])
            aside = ScaledTranslation(0.07 * before, 0, figure.dpi_scale_trans)
            axes.errorbar(x, middle, yerr=[[middle - low], [high - middle]], color=colour,
                          fmt=marker, markersize=7 if name == OURS.name else 5, capsize=2,
                          label=name, markerfacecolor=colour if marker == "o" else "white",
                          elinewidth=1, transform=axes.transData + aside)  # fmt: skip
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.7)
        axes.set_xlim(-0.15, 300)
        axes.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        axes.set_yscale("log")
        axes.set_ylim(0.8, 1.4 * _NEVER)
        axes.axvline(1.0, color="#6b6b6b", linewidth=0.8, linestyle=":")
        axes.set_xlabel("rolled back though on the limit (%)")
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks([1, 10, 60, 600, _NEVER], ["1", "10", "60", "600", "not in a day"])
    panels[0].yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    panels[0].set_ylabel("minutes until a sudden 35 % is rolled back")
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    stream = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "judge", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _points(rows: Mapping[tuple[str, str], Row], traffic: str) -> list[tuple[Any, ...]]:
    """Of each rule: its name, false alarms in per cent, and p10, p50 and p90 of the delay."""
    points = []
    seen: dict[str, int] = {}
    for one in RULES:
        limit = rows.get((f"failures-limit-{traffic}", one.name))
        found = rows.get((f"failures-sudden-35-{traffic}", one.name))
        kind = one.name.split()[0]
        marker = _MARKERS[seen.setdefault(kind, 0)]
        seen[kind] = 1
        if limit is None or found is None:
            continue
        # A rule that has rolled back every rollout before the change found nothing.
        delay = found["delay"] or [None, None, None]
        low, middle, high = (_NEVER if d is None else float(d) for d in delay)
        points.append((one.name, 100.0 * limit["false"] / limit["rollouts"], low, middle, high,
                       marker))  # fmt: skip
    return points

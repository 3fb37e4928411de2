"""Axes that pictures share: the time, the stages, and the split that they showed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from switchover.reporting.canvas import GREEN, GREY

#: The width of a letter of a stage's name, as a share of the panel's.
_LETTER = 0.0088

#: (when it began, its title, the candidate's share in per cent)
StageChange = tuple[float, str, float]


def moment_of(at: float) -> datetime:
    """Seconds since the Unix epoch as a moment that axes take."""
    return datetime.fromtimestamp(at, UTC)


def span_of(times: Sequence[datetime]) -> tuple[datetime, datetime]:
    """The first and the last moment, with a little room on both sides."""
    if not times:
        return moment_of(0), moment_of(60)
    room = max(timedelta(seconds=1), (max(times) - min(times)) * 0.02)
    return min(times) - room, max(times) + room


def date_axis(axes: Any, *, empty: bool = False) -> None:
    """Dates below ``axes``, as fine as there is room for; none where nothing is drawn."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_xlabel("time (UTC)")
    if empty:
        axes.set_xticks([])
        return
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def draw_split(axes: Any, stages: Sequence[StageChange], end: datetime) -> None:
    """The candidate's share over time, as steps up to ``end``."""
    if stages:
        times = [*(moment_of(at) for at, _, _ in stages), end]
        shares = [*(share for _, _, share in stages), stages[-1][2]]
        axes.step(times, shares, where="post", color=GREEN, linewidth=1.8)
        axes.fill_between(times, shares, step="post", color=GREEN, alpha=0.2, linewidth=0)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("split (%)")


def mark_stages(
    panels: Sequence[Any], stages: Sequence[StageChange], begin: datetime, end: datetime
) -> int:
    """A line for each stage through all panels, its name above; gives the rows of names."""
    ends: list[float] = []  # where each row of names is free again, as a share of the width
    for at, name, _ in stages:
        for axes in panels:
            axes.axvline(moment_of(at), color=GREY, linewidth=0.8, alpha=0.5)
        left = (moment_of(at) - begin) / (end - begin)
        width = _LETTER * len(name) + 0.01
        from_right = left + width > 1
        if from_right:
            left -= width
        free = [row for row, taken in enumerate(ends) if taken <= left]
        row = free[0] if free else len(ends)
        ends[row : row + 1] = [left + width]
        panels[0].annotate(name, (moment_of(at), 1), xycoords=("data", "axes fraction"),
                           xytext=(-1 if from_right else 1, 4 + 12 * row),
                           textcoords="offset points", ha="right" if from_right else "left",
                           fontsize=8, color=GREY, annotation_clip=False)  # fmt: skip
    return len(ends)

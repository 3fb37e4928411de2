"""Figures to draw on, and files to draw them to."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

#: Okabe and Ito's palette, told apart by people with any kind of colour vision, and a grey.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
GREY = "#6b6b6b"

#: Kinds of picture, as files end.
FORMATS = ("svg", "png")


def figure_of(width: float, height: float) -> Any:
    """An empty figure, in inches."""
    # Not pyplot: it keeps global state and figures alive, and tasks run in threads.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def picture(figure: Any, kind: str = "png") -> bytes:
    """The figure as a file; the same figure gives the same file."""
    import matplotlib as mpl

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    stream = BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    # Text stays text in an SVG: it can be found, read aloud and translated.
    with mpl.rc_context({"svg.hashsalt": "switchover", "svg.fonttype": "none"}):
        figure.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()


def drawable(plot: Path) -> str:
    """What stands against drawing to this file, to be told before the work; empty for nothing."""
    if plot.suffix[1:].lower() not in FORMATS:
        return f"{plot} is neither SVG nor PNG; let its name end in .svg or .png"
    if not plot.absolute().parent.is_dir():
        return f"there is no folder {plot.absolute().parent}; make it first"
    return ""

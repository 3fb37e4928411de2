from __future__ import annotations

import base64
import subprocess
import sys
from io import BytesIO
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from switchover.reporting import plots

AT = 1_772_442_000.0
POINTS = [{"at": AT + 60 * k, "system": "pair", "n": 100, "bad": k} for k in range(20)]
STAGES = [(AT, "shadow", 0.0), (AT + 5, "canary 10 %", 10.0), (AT + 900, "rolled back", 0.0)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, to look into."""
    figures: list[Figure] = []
    make = plots._figure

    def keep(height: float) -> Any:
        figures.append(make(height))
        return figures[-1]

    monkeypatch.setattr(plots, "_figure", keep)
    return figures


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


@pytest.mark.req("P11")
def test_agreement_plot_draws_rate_limit_split_and_counts(drawn: list[Figure]) -> None:
    """The rates, the limit, each stage and the pairs per interval are in the picture."""
    png = plots.agreement_plot(POINTS, 0.85, STAGES)
    assert imread(BytesIO(png)).shape[1] == 990
    top, middle, bottom = drawn[0].axes
    lines = {line.get_label(): line for line in top.lines}
    assert list(lines["agreement"].get_ydata()) == [100.0 - k for k in range(20)]
    assert list(lines["rollback limit 85 %"].get_ydata()) == [85.0, 85.0]
    assert list(middle.lines[-1].get_ydata()) == [0.0, 10.0, 0.0, 0.0]
    assert [bar.get_height() for bar in bottom.patches] == [100] * 20
    assert texts(drawn[0]) == {"shadow", "canary 10 %", "rolled back"}


@pytest.mark.req("P11")
def test_axes_say_what_they_measure(drawn: list[Figure]) -> None:
    """Every panel has its unit, and the time its zone."""
    plots.agreement_plot(POINTS, 0.85, STAGES)
    assert [axes.get_ylabel() for axes in drawn[0].axes] == [
        "agreeing pairs (%)",
        "split (%)",
        "pairs",
    ]
    assert drawn[0].axes[2].get_xlabel() == "time (UTC)"


@pytest.mark.req("P11")
def test_names_of_short_stages_do_not_overlap(drawn: list[Figure]) -> None:
    """Stages seconds apart get their names in different rows."""
    plots.agreement_plot(POINTS, 0.85, STAGES)
    drawn[0].draw_without_rendering()
    boxes = [text.get_window_extent() for text in drawn[0].axes[0].texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    assert max(box.x1 for box in boxes) <= drawn[0].bbox.x1


@pytest.mark.req("P11")
def test_other_systems_and_empty_intervals_are_left_out(drawn: list[Figure]) -> None:
    """Only pairs count as agreement, and an interval without pairs divides by nothing."""
    more = [
        {"at": AT, "system": "candidate", "n": 9, "bad": 9},
        {"at": AT + 5000, "system": "pair", "n": 0, "bad": 0},
    ]
    plots.agreement_plot([*POINTS, *more], 0.85)
    assert len(drawn[0].axes[2].patches) == 20


@pytest.mark.req("INV6")
def test_no_data_is_shown_as_no_data(drawn: list[Figure]) -> None:
    """Empty pictures say so instead of drawing a perfect line."""
    plots.agreement_plot([], 0.85)
    plots.evidence_plot({})
    assert texts(drawn[0]) == {"no pairs yet"}
    assert "no evidence yet" in texts(drawn[1])


@pytest.mark.req("P11")
def test_evidence_plot_draws_each_gate_and_both_thresholds(drawn: list[Figure]) -> None:
    """Gates differ by colour and stroke; huge evidence is cut and does not flatten the rest."""
    plots.evidence_plot({"agreement": [(AT, 1.0), (AT + 60, 1e300)], "latency": [(AT, 0.0)]})
    axes = drawn[0].axes[0]
    agreement, latency = axes.lines[:2]
    assert list(agreement.get_ydata()) == [1.0, 1e5]
    assert list(latency.get_ydata()) == [0.01]
    assert agreement.get_color() != latency.get_color()
    assert agreement.get_linestyle() != latency.get_linestyle()
    assert texts(drawn[0]) == {"10: freezes the split", "100: rolls back"}


@pytest.mark.req("P11")
def test_data_uri_carries_the_picture() -> None:
    """What an image artifact shows is the PNG itself."""
    head, _, body = plots.data_uri(b"\x89PNG...").partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == b"\x89PNG..."


@pytest.mark.req("P11")
def test_matplotlib_is_imported_only_to_draw() -> None:
    """Who makes tables does not pay for the pictures' library."""
    program = (
        "import sys, switchover.reporting.plots, switchover.reporting.markdown; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.req("P11")
def test_wilson_interval_is_the_published_one() -> None:
    """8 of 10 gives 49.0 % to 94.3 % at 95 %."""
    low, high = plots._wilson(8, 10)
    assert (round(low, 1), round(high, 1)) == (49.0, 94.3)


@pytest.mark.req("O5")
def test_evidence_is_drawn_beside_the_split_with_its_verdicts(drawn: list[Figure]) -> None:
    """Each verdict where it began, in a shape of its own; the split as steps below."""
    marks = [(AT + 60, "hold"), (AT + 300, "promote"), (AT + 900, "rollback")]
    series = {"success": [(AT + 60 * k, 0.5 + k) for k in range(20)]}
    picture = plots.evidence_plot(series, stages=STAGES, marks=marks, kind="svg")
    assert picture.startswith(b"<?xml")
    top, bottom = drawn[0].axes
    shapes = {line.get_gid(): line.get_marker() for line in top.lines if line.get_gid()}
    assert set(shapes) == {"verdict-hold", "verdict-promote", "verdict-rollback"}
    assert len(set(shapes.values())) == 3
    assert list(bottom.lines[-1].get_ydata()) == [0.0, 10.0, 0.0, 0.0]

"""The picture of the overhead figures shows every part."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.overhead.plot import PANELS, draw

SPAN = {"p10_ms": 1.0, "median_ms": 2.0, "p90_ms": 3.0}
PARTS = {
    "idle": {"title": "Idle", "rows": [{"how": "here", "what": "advance", **SPAN}]},
    "approval": {"title": "Approval", "rows": [{"step_taken_by": "a worker", "what": "x", **SPAN}]},
    "sweeps": {
        "title": "Sweep",
        "rows": [{"migrations": n, "what": "nothing new", "median_s": n / 100} for n in (10, 100)],
    },
    "memory": {"title": "Memory", "rows": [{"sweeps": n, "resident_mb": 90.0} for n in (0, 9)]},
}


def test_every_part_has_its_panel_and_the_same_figures_draw_the_same_file() -> None:
    """Titles and values are text in an SVG that parses."""
    assert PANELS.keys() == PARTS.keys()
    picture = draw(PARTS)
    assert picture == draw(PARTS)
    ElementTree.fromstring(picture)
    for part in PARTS.values():
        assert str(part["title"]) in picture

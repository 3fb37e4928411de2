"""The picture of the rollback figures shows every way back."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.rollback.__main__ import PARTS as MEASURED
from benchmarks.rollback.plot import PARTS, draw

SPAN = {"p50_ms": 1.0, "p99_ms": 3.0}
FIGURES = {
    "turning": {"rows": [{"down": "SQL", "router_processes": 8, **SPAN}]},
    "haproxy": {"rows": [{"what": "by the follower", **SPAN}]},
    "restart": {"rows": [{"processes": 32, **SPAN}]},
    "redis_down": {
        "rows": [{"router_processes": 8, "max_staleness_s": 2.0, "p50_s": 1.9, "max_s": 2.1}]
    },
    "detection": {
        "rows": [
            {"candidate_percent": 10, "judges": "a gate", "database": "SQLite", "p50_s": 2.0,
             "max_s": 4.5},
            {"candidate_percent": 10, "judges": "good ones", "database": "SQLite", "rollbacks": 0},
        ]
    },
}  # fmt: skip


def test_every_part_is_drawn_and_the_same_figures_draw_the_same_file() -> None:
    """Labels are text in an SVG that parses."""
    assert set(MEASURED) == PARTS.keys() == FIGURES.keys()
    picture = draw(FIGURES)
    assert picture == draw(FIGURES)
    ElementTree.fromstring(picture)
    for label in ("routers in 8, SQL down", "by the follower", "rolling restart of 32",
                  "routers in 8, Redis down, max_staleness 2 s",
                  "from the first bad answer: 10 %, a gate, SQLite", "4,500"):  # fmt: skip
        assert label in picture
    assert "good ones" not in picture, "a count of false alarms is no time"

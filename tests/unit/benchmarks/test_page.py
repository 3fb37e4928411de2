"""Figures become tables and find their place in the page."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.routing.page import fill, heading, markdown, plain, section
from benchmarks.routing.parts import missed
from benchmarks.routing.plot import draw

ROWS = [
    {"what": "ours", "median_ns": 160.4, "times_route": 1.0},
    {"what": "peer", "median_ns": 12816.0, "errors": 3},
]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("what", "what"),
        ("added_p99_ms", "added p99 (ms)"),
        ("share_on_percent", "share on (%)"),
        ("times_bare_hash", "× bare hash"),
        ("requests_per_second", "requests per second"),
    ],
)
def test_heading_puts_the_unit_beside_the_name(column: str, told: str) -> None:
    """Columns are named for programs, headings for people."""
    assert heading(column) == told


def test_a_plain_table_is_aligned_and_shows_what_a_row_lacks() -> None:
    """Numbers to the right, a dash for nothing, thousands set apart."""
    assert plain(ROWS).splitlines() == [
        "what  median (ns)  × route  errors",
        "----  -----------  -------  ------",
        "ours        160.4        1       –",
        "peer       12,816        –       3",
    ]


def test_a_markdown_table_holds_the_same() -> None:
    """One row per row, and columns of numbers aligned to the right."""
    assert markdown(ROWS).splitlines() == [
        "| what | median (ns) | × route | errors |",
        "| --- | ---: | ---: | ---: |",
        "| ours | 160.4 | 1 | – |",
        "| peer | 12,816 | – | 3 |",
    ]


def part(met: bool = True, **more: Any) -> dict[str, Any]:
    target = {"what": "route", "target": "≤ 500 ns", "measured": "160 ns", "met": met}
    return {
        "title": "Decisions", "rows": ROWS, "targets": [target], "notes": ["One at a time."],
        "parameters": {"rounds": 101}, "measured_at": "2026-01-05 09:00 UTC", **more,
    }  # fmt: skip


def test_a_section_has_targets_table_notes_and_settings() -> None:
    """Everything that a reader needs to believe the figures, or not."""
    told = section(part())
    assert "| route | ≤ 500 ns | 160 ns | yes |" in told
    assert markdown(ROWS) in told
    assert "- One at a time." in told
    assert told.endswith("Measured 2026-01-05 09:00 UTC with: rounds 101.")


def test_a_section_replaces_what_was_between_its_marks_and_nothing_else() -> None:
    """What was written by hand stays, in front, behind and in the sections not measured."""
    page = (
        "# By hand\n\n<!-- one: measured -->\nold \\1\n<!-- one: end -->\n\nmore\n\n"
        "<!-- two: measured -->\nkept\n<!-- two: end -->\n"
    )
    once = fill(page, {"one": "new \\2"})
    assert once == (
        "# By hand\n\n<!-- one: measured -->\n\nnew \\2\n\n<!-- one: end -->\n\nmore\n\n"
        "<!-- two: measured -->\nkept\n<!-- two: end -->\n"
    )
    assert fill(once, {"one": "new \\2"}) == once


def test_a_page_without_a_place_for_a_section_is_refused() -> None:
    """Figures that nobody would see are an error."""
    with pytest.raises(ValueError, match="no place for one: put in <!-- one: measured -->"):
        fill("# By hand\n", {"one": "new"})


def test_missed_targets_are_told_with_what_was_measured() -> None:
    """Only those that were missed; a part without targets misses none."""
    bare = part()
    del bare["targets"]
    assert missed({"a": part(met=False), "b": part(), "c": bare}) == [
        "route: 160 ns, target ≤ 500 ns"
    ]


def test_the_picture_is_the_same_for_the_same_figures() -> None:
    """A bar for each row that has the value, under the part's title; nothing of the moment."""
    rows = [
        {"what": "Switchover route", "median_ns": 160.0, "p10_ns": 150.0, "p90_ns": 170.0},
        {"what": "a peer", "median_ns": 5000.0, "p10_ns": 4900.0, "p90_ns": 5200.0},
    ]
    parts = {"decisions": part(rows=rows)}
    picture = draw(parts)
    assert picture == draw(parts)
    for text in ("Decisions", "Switchover route", "a peer"):
        assert text in picture

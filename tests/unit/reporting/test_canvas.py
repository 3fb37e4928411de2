"""Files that pictures are drawn to."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.reporting.canvas import drawable, figure_of, picture


def test_what_cannot_be_drawn_to_is_told_before_the_work(tmp_path: Path) -> None:
    """Another kind of file, or a folder that is not there."""
    assert drawable(tmp_path / "a.SVG") == drawable(tmp_path / "a.png") == ""
    assert drawable(tmp_path / "a.pdf").endswith("let its name end in .svg or .png")
    assert drawable(tmp_path / "none" / "a.svg").startswith("there is no folder")


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_same_figure_gives_the_same_file(kind: str, start: bytes) -> None:
    """Without a date or a program's version in it."""
    files = []
    for _ in range(2):
        figure = figure_of(3, 2)
        figure.subplots().plot([1, 2], label="line")
        files.append(picture(figure, kind))
    assert files[0] == files[1]
    assert files[0].startswith(start)
    assert b"Matplotlib v" not in files[0]

"""The page of the HTTP API is current and complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.api.app import describe_app
from tools.api_reference import FILE, main, reference

ROOT = Path(__file__).parents[3]


@pytest.mark.req("K1")
def test_every_path_has_its_section() -> None:
    """A path that is not on the page can't be found by its reader."""
    text, paths = reference(), describe_app().openapi()["paths"]
    assert paths
    for path, methods in paths.items():
        for method in methods:
            assert f"\n### {method.upper()} {path}\n" in text


@pytest.mark.req("K1")
def test_page_is_current() -> None:
    """The page is what the API says today: run ``make docs`` when this fails."""
    assert (ROOT / FILE).read_text("utf-8") == reference()


def test_check_tells_an_old_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--check`` nothing is written, and the answer is the exit code."""
    monkeypatch.chdir(tmp_path)
    assert main(["--check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0


@pytest.mark.req("K1")
def test_a_route_with_several_answers_shows_each() -> None:
    """A rollback and its dry run answer differently, and each is said to be which."""
    text = reference().partition("### POST /api/migrations/{migration}/rollback")[2]
    text = text.partition("\n### ")[0]
    for said in ("`switchover rollback --json`", "`switchover rollback --dry-run --json`"):
        assert f"Answer (`application/json`): What {said} prints" in text
    assert "| `warnings` |" in text

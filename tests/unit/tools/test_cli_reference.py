"""The page of the command line is current and complete."""

from __future__ import annotations

from pathlib import Path

from switchover.cli.main import VERBS
from tools.cli_reference import FILE, main, reference

ROOT = Path(__file__).parents[3]


def test_every_verb_has_its_section() -> None:
    """A verb that is not on the page can't be found by its reader."""
    text = reference()
    assert not [verb for verb in VERBS if f"\n## {verb}\n" not in text]


def test_page_is_current() -> None:
    """The page is what the commands say today: run ``make docs`` when this fails."""
    assert (ROOT / FILE).read_text("utf-8") == reference()


def test_check_tells_an_old_page(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """With ``--check`` nothing is written, and the answer is the exit code."""
    monkeypatch.chdir(tmp_path)
    assert main(["--check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0

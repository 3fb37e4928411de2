"""The page on events is written from the events, and noticed when it is not current."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.machine.event import KINDS
from tools import events_reference
from tools.events_reference import main, reference


@pytest.mark.req("P12")
def test_every_kind_of_event_is_on_the_page() -> None:
    """With its fields; structures are left out, as they are of the payload."""
    page = reference()
    for kind in KINDS:
        assert f"| `switchover.{kind}` |" in page
    row = next(line for line in page.splitlines() if "`switchover.rolled_back`" in line)
    assert "`incident`" in row
    assert "`reading`" not in row


@pytest.mark.req("P12")
def test_a_page_that_is_not_current_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make check` runs it."""
    monkeypatch.setattr(events_reference, "FILE", tmp_path / "events.md")
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0

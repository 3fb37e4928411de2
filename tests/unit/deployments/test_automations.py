"""Automations: what they may hang on."""

from __future__ import annotations

import pytest

from deployments.automations import main

pytestmark = pytest.mark.req("P3")


def test_an_event_that_nobody_sends_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An automation on a misspelt event would wait for ever, and nobody would see it."""
    with pytest.raises(SystemExit) as ended:
        main(["--event", "switchover.rolledback", "--run", "operations/call-vendor"])
    assert ended.value.code == 2
    assert "did you mean switchover.rolled_back?" in capsys.readouterr().err

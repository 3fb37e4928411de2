"""The demonstration's voice."""

from __future__ import annotations

import json

import pytest

from examples.mood.demo.narrator import Narrator


def test_programs_get_the_text_without_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """What is bold on a terminal is plain in JSON."""
    Narrator("json").say("[bold]shadow → adapters[/bold]: mode parallel", split=0)
    told = json.loads(capsys.readouterr().out)
    assert (told["text"], told["split"]) == ("shadow → adapters: mode parallel", 0)

"""What a guard logs: the same line once in a while, and nothing that can end the guard."""

from __future__ import annotations

import logging

import pytest

from switchover.cli.watch import _NotAgain


def record(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("any", logging.WARNING, __file__, 1, text, values, None)


@pytest.mark.req("R3")
def test_the_same_line_passes_once() -> None:
    """Another one passes at once."""
    lines = _NotAgain()
    assert lines.filter(record("%s is down", "Redis"))
    assert not lines.filter(record("%s is down", "Redis"))
    assert lines.filter(record("%s is down", "Slack"))


@pytest.mark.req("R3")
def test_a_line_that_does_not_fit_its_values_ends_no_guard() -> None:
    """Whoever logs it goes on, whichever library that is."""
    lines = _NotAgain()
    assert lines.filter(record("%d blocks", "many"))
    assert lines.filter(record("no place for it", "many"))

"""`switchover advance` follows its flow run."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.cli import advance
from switchover.errors import DependencyUnavailable
from switchover.launcher import prefect_api
from switchover.launcher.prefect_api import PrefectLauncher

STATES = [
    ("SCHEDULED", "Scheduled"),
    ("SCHEDULED", "Late"),
    ("RUNNING", "Running"),
    ("RUNNING", "Running"),
    ("RUNNING", "Retrying"),
]


class Launcher(PrefectLauncher):
    """A run that goes through ``states`` and stays in the last."""

    def __init__(self, states: list[tuple[str, str]]) -> None:
        self._states = list(states)

    def state(self, run_id: str) -> tuple[str, str, str]:
        kind, name = self._states[0] if len(self._states) == 1 else self._states.pop(0)
        return kind, name, ""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleeping lets the time pass without waiting."""
    now = [0.0]
    monkeypatch.setattr(prefect_api, "monotonic", lambda: now[0])
    monkeypatch.setattr(prefect_api, "sleep", lambda s: now.__setitem__(0, now[0] + s))


def follow(states: list[tuple[str, str]], **options: Any) -> str:
    timeout = options.pop("timeout", 60.0)
    return advance._followed(Launcher(states), "r1", timeout, **options)[0]


@pytest.mark.parametrize("end", sorted(prefect_api.FINAL))
def test_each_change_of_the_run_is_told_once(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Until the end, whichever it is."""
    assert follow([*STATES, (end, end.title())], quiet=False) == end
    told = [line.removeprefix("flow run r1: ") for line in capsys.readouterr().out.splitlines()]
    assert told == ["scheduled", "late", "running", "retrying", end.lower()]


def test_programs_are_told_nothing_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json only the document at the end is printed."""
    assert follow([*STATES, ("COMPLETED", "Completed")], quiet=True) == "COMPLETED"
    assert capsys.readouterr().out == ""


def test_a_run_that_nobody_takes_ends_the_wait() -> None:
    """The likely reason is named, as an unavailable dependency."""
    with pytest.raises(DependencyUnavailable, match=r"still Late after 3 s; .* a worker"):
        follow(STATES[1:2], quiet=True, timeout=3.0)

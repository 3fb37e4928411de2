"""What the outbox does on Prefect about an approval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.errors import DependencyUnavailable
from switchover.machine.event import (
    Aborted,
    ApprovalDecided,
    ApprovalRequested,
    Held,
    StageEntered,
)
from switchover.ports import Effect
from switchover.testing.launcher import MemoryLauncher
from switchover.testing.ledger import InMemoryLedger, begin_migration
from switchover.wiring import handlers as wired
from switchover.wiring.settings import load_settings

OWN = {"migration": "mood", "approval": "a-1", "actor": "ada"}


class Launcher(MemoryLauncher):
    """Counts what is forgotten, and whether it was closed."""

    forgotten: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.forgotten = []

    def forget_input(self, run: str) -> int:
        """Note the run."""
        self.forgotten.append(run)
        return 1

    def state(self, run: str) -> tuple[str, str, str]:
        """Runs that don't wait are over."""
        waits = run in self.runs and self.runs[run].state == "suspended"
        return ("PAUSED", "Suspended", "") if waits else ("COMPLETED", "Completed", "")

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Prefect, in memory."""
    made = Launcher()
    monkeypatch.setattr(wired, "open_launcher", lambda settings: made)
    return made


def ledger(*events: Any) -> InMemoryLedger:
    """A migration whose approval ``a-1`` was asked for, and what came after."""
    made = InMemoryLedger()
    record, now = begin_migration(made), ManualClock().now()
    asked = ApprovalRequested("a-1", 1, "e" * 64, 0.0, 1e12)
    run = Effect("a-1:run", "start_flow", {})
    for event in (asked, *events):
        effects = (run,) if event is asked else ()
        record = made.append(
            "mood", record.state.revision, event, at=now, actor="t", effects=effects
        )
    made.finish_effect("a-1:run", {"run": "run-1"})
    return made


def do(kind: str, made: InMemoryLedger) -> dict[str, Any]:
    """Perform an effect of this kind."""
    handle: Callable[[Effect], dict[str, Any]] = wired.handlers(load_settings({}), made)[kind]
    return handle(Effect(f"a-1:{kind}", kind, OWN))


APPROVED = ApprovalDecided("a-1", "approved", 1.0, "ada")
ENTERED = StageEntered(1, "canary", "gradual", 1000, 0, 2.0, 3.0)


@pytest.mark.req("P6", "INV4")
def test_an_approved_step_that_nobody_took_is_started_once(launcher: Launcher) -> None:
    """The run that should have taken it has died."""
    made = ledger(APPROVED)
    assert do("release_step", made) == {"run": "run-1"}
    assert do("release_step", made) == {"run": "run-1"}
    [run] = launcher.runs.values()
    assert run.deployment == "advance/advance"
    assert run.parameters == {"migration": "mood", "actor": "ada"}


@pytest.mark.req("P6", "INV4")
@pytest.mark.parametrize(
    "events",
    [
        (APPROVED, ENTERED),
        (APPROVED, ApprovalDecided("a-1", "void", 2.0)),
        (APPROVED, Held(2.0, "ops", "lunch")),
        (APPROVED, Aborted(2.0, "ops", "no more")),
        (
            ApprovalDecided("a-1", "void", 1.0),
            ApprovalRequested("a-2", 1, "e" * 64, 2.0, 1e12),
            replace(APPROVED, id="a-2"),
        ),
    ],
    ids=["taken", "void", "held", "aborted", "another approval"],
)
def test_a_step_that_was_taken_or_is_not_allowed_is_left_alone(
    launcher: Launcher, events: tuple[Any, ...]
) -> None:
    """The look costs nothing and changes nothing."""
    assert "skipped" in do("release_step", ledger(*events))
    assert launcher.runs == {}


@pytest.mark.req("P6")
def test_the_answers_of_the_waiting_run_are_deleted(launcher: Launcher) -> None:
    """A code that somebody typed is not kept in Prefect's database."""
    assert do("forget_code", ledger(APPROVED)) == {"forgotten": 1}
    assert launcher.forgotten == ["run-1"]


@pytest.mark.req("P6")
def test_answers_are_not_deleted_while_more_can_be_given(launcher: Launcher) -> None:
    """A code typed after the deletion would stay: no run reads it, as all is settled."""
    run = launcher.start("approve/approve", OWN, "a-1:run")
    launcher.suspend(run)
    with pytest.raises(DependencyUnavailable, match="still"):
        do("forget_code", ledger(APPROVED))
    assert launcher.forgotten == []
    do("end_approval", ledger(APPROVED))
    assert do("forget_code", ledger(APPROVED)) == {"forgotten": 1}

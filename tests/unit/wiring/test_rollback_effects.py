"""What the outbox does for a rollback whose steps nobody goes on with."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.errors import DependencyUnavailable
from switchover.machine.event import RollbackFrozen, RollbackStepBegun, RollbackStepDone, RolledBack
from switchover.ports import Effect
from switchover.testing.launcher import MemoryLauncher
from switchover.testing.ledger import InMemoryLedger, begin_migration
from switchover.wiring import handlers as wired
from switchover.wiring.settings import load_settings

PLAN: dict[str, Any] = {
    "switchover": 1,
    "migration": "mood",
    "title": "Mood",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "gates": [{"metric": "success_rate", "at_least": "90%"}],
    "rollback": {
        "levels": {
            "service": [
                {"name": "a", "method": "code", "action": {"kind": "command", "argv": ["a"]}}
            ]
        }
    },
}
BACK = RolledBack(1.0, "ada", "person", "bad", "i-1", "i-1")
BEGUN = RollbackStepBegun("i-1", "service", "a", "r", 2.0, 1e12)
DONE = RollbackStepDone("i-1", "service", "a", "r", 3.0, "done", "it worked")
ORDER = {"migration": "mood", "reason": "bad", "actor": "ada", "incident": "i-1"}


class Launcher(MemoryLauncher):
    """A launcher that may be closed."""

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Prefect, in memory."""
    made = Launcher()
    monkeypatch.setattr(wired, "open_launcher", lambda settings: made)
    return made


def look(*events: Any, attempts: int = 1) -> dict[str, Any]:
    """Perform the later look at a migration that was rolled back, and what came after."""
    ledger = InMemoryLedger()
    record, now = begin_migration(ledger, document=PLAN), ManualClock().now()
    for event in (BACK, *events):
        record = ledger.append("mood", record.state.revision, event, at=now, actor="t")
    payload = {"migration": "mood", "deployment": "rollback/rollback", "parameters": ORDER}
    effect = Effect("i-1:steps:look", "rollback_steps", payload, attempts=attempts)
    return wired.handlers(load_settings({}), ledger)["rollback_steps"](effect)


@pytest.mark.req("R2", "INV4")
@pytest.mark.parametrize("events", [(), (BEGUN,)], ids=["none begun", "one running"])
def test_steps_that_are_left_get_a_run_of_their_own(
    launcher: Launcher, events: tuple[Any, ...]
) -> None:
    """And another look: that run may die as the one before it did."""
    for attempts in (1, 2):
        with pytest.raises(DependencyUnavailable, match="under way") as later:
            look(*events, attempts=attempts)
        assert later.value.retry_after == 90
    runs = list(launcher.runs.values())
    assert [run.key for run in runs] == ["i-1:steps:look:1", "i-1:steps:look:2"]
    assert {run.deployment for run in runs} == {"rollback/rollback"}
    assert runs[0].parameters == ORDER


@pytest.mark.req("R2", "INV4")
@pytest.mark.parametrize(
    "events",
    [
        (BEGUN, DONE),
        (RollbackFrozen("i-1", "service", "a", 4.0, "step a failed"),),
    ],
    ids=["all taken", "people are asked"],
)
def test_nothing_is_started_when_nothing_is_left(
    launcher: Launcher, events: tuple[Any, ...]
) -> None:
    """Neither after the last step, nor while people are asked."""
    assert look(*events)["level"] == "service"
    assert launcher.runs == {}

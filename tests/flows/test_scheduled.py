"""Scheduled runs of ``advance`` on a real Prefect: several at once make one step."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.freeze import freeze, unfreeze
from switchover.machine.state import Phase

pytestmark = [
    pytest.mark.req("P7"),
    pytest.mark.timeout(300),
]


def test_missed_runs_that_prefect_executes_at_once_make_one_step(journey: Any) -> None:
    """Two runs of the schedule: one does the checks' step, all complete, none is a failure; a
    stop of the migration then holds a run by hand, and the next one says so."""
    journey.start()
    runs = [journey.launch("advance/advance", actor="schedule") for _ in range(2)]
    ended = [journey.ended(run) for run in runs]
    assert {kind for kind, _, _ in ended} == {"COMPLETED"}, ended
    assert len(journey.entries("stage_entered")) == 1
    kind, _, message = journey.here("advance", actor="schedule")
    assert kind == "COMPLETED"
    assert "has taken its step at" in message
    assert "; next run " in message
    freeze(journey.context, journey.migration, actor="ann", reason="market opens")
    journey.evidence()
    assert "frozen by ann" in journey.advance()
    assert journey.case.state.phase is Phase.RUNNING
    unfreeze(journey.context, journey.migration, actor="ann")
    assert len(journey.entries("stage_entered")) == 1

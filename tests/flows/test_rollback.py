"""The way back: by a monitor run, and by hand from Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover.engine.hold import hold

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

ASKING = [
    {"kind": "checks"},
    {"kind": "shadow", "bake": "1s"},
    {"kind": "canary", "percent": 25, "bake": "1s"},
    {"kind": "canary", "percent": 100, "bake": "1s", "approval": True},
]


@pytest.mark.req("R1", "P5", "P11", "INV5")
def test_monitor_rolls_back_a_bad_candidate_while_people_are_asked(land: Any, journey: Any) -> None:
    """Routing is at legacy, the incident is written, and the approval's run ends by itself."""
    journey.start(stages=ASKING)
    journey.step()
    journey.step()
    waiting = journey.ask()
    journey.evidence(bad=0.6, disagree=0.05)
    kind, _, message = journey.run("monitor/monitor")
    assert kind == "COMPLETED", message
    assert f"{journey.migration}: " in message
    routing = land.context.routing.read(journey.migration)
    assert (routing.mode, routing.split) == ("emergency_rollback", 0)
    (entry,) = journey.entries("rolled_back")
    assert (entry.actor, entry.payload["trigger"]) == ("monitor", "judge")
    assert entry.payload["flags"] == ["new-scores"]
    kind, _, message = journey.ended(waiting)
    assert kind == "COMPLETED", message
    reports = [
        row["result"]["file"]
        for row in land.ledger.effects(journey.migration)
        if row["kind"] == "incident_report"
    ]
    assert journey.case.state.incident in Path(reports[-1]).read_text(encoding="utf-8")
    artifacts = journey.artifacts()
    assert "success" in artifacts["incident"]["data"]
    assert "| `score` | beyond the tolerance |" in artifacts["mismatches"]["data"]


@pytest.mark.req("P5", "INV5")
def test_the_rollback_form_works_on_a_held_migration(land: Any, journey: Any) -> None:
    """Reason and name come from the form; asking again gives the same incident."""
    journey.start()
    journey.step()
    journey.step()
    hold(land.context, journey.migration, actor="bo", reason="lunch")
    kind, _, message = journey.run("rollback/rollback", reason="strange scores", actor="bo")
    assert (kind, "is back on legacy" in message) == ("COMPLETED", True), message
    assert land.context.routing.read(journey.migration).mode == "emergency_rollback"
    (entry,) = journey.entries("rolled_back")
    assert (entry.payload["actor"], entry.payload["reason"]) == ("bo", "strange scores")
    assert "strange scores" in journey.advance()
    assert len(journey.entries("rolled_back")) == 1

"""Validation of a rollback on Prefect: by the run that the outbox starts, and by monitor."""

from __future__ import annotations

import time
from typing import Any

import pytest

from switchover.engine.drain import drain
from switchover.engine.roll_back import roll_back

pytestmark = [
    pytest.mark.timeout(300), pytest.mark.req("R4", "P5"),
]  # fmt: skip

WAVES = {
    "functional": {
        "after": "1s",
        "within": "5m",
        "probes": [{"name": "score", "kind": "http", "system": "candidate", "path": "/score",
                    "expect": {"values": {"name": "candidate"}}}],
    }
}  # fmt: skip


def back(journey: Any) -> str:
    """Start, reach the shadow stage and roll back; gives the incident."""
    journey.start(rollback={"flags": ["new-scores"], "validation": WAVES})
    journey.step()
    return roll_back(
        journey.context, journey.migration, actor="bo", trigger="person", reason="smoke"
    ).incident


def waves(journey: Any, count: int) -> list[tuple[str, bool, str]]:
    """Wait until so many waves are on record; gives them, by whom."""
    deadline = time.monotonic() + 120
    while len(found := journey.entries("wave_validated")) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return [(entry.payload["wave"], entry.payload["ok"], entry.actor) for entry in found]


@pytest.mark.req("INV4")
def test_the_outboxs_run_and_monitor_make_one_record(land: Any, journey: Any) -> None:
    """A probe that fails is asked again, and the incident is mitigated when it passes. Both runs
    ask, the first to know writes it down, once, and people see it in the artifact."""
    land.candidate.well = False
    incident = back(journey)
    assert drain(journey.context).failed == ()
    assert waves(journey, 1) == [("immediate", True, "bo")]
    assert journey.case.state.inquiries[0].critical
    land.candidate.well = True
    kind, _, message = journey.here("monitor")
    assert kind == "COMPLETED", message
    assert [found[:2] for found in waves(journey, 2)] == [("immediate", True), ("functional", True)]
    assert journey.case.state.inquiries[0].state == "mitigated"
    runs = [row for row in land.ledger.effects(journey.migration) if row["kind"] == "start_flow"]
    assert {row["key"] for row in runs} == {
        f"{incident}:wave:immediate", f"{incident}:wave:functional",
    }  # fmt: skip
    ends = [journey.ended(row["result"]["run"]) for row in runs if row["result"]]
    assert [kind for kind, _, _ in ends] == ["COMPLETED"] * len(ends), ends
    first = next(row for row in runs if row["key"].endswith("immediate"))
    assert "immediate: all 3 probes pass" in journey.ended(first["result"]["run"])[2]
    assert len(journey.entries("wave_validated")) == 2
    assert "nobody is served by the candidate" in journey.artifacts()["incident"]["data"]

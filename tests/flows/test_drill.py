"""Drills on a real Prefect: by hand, and by the plan's clock with the real traffic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from switchover.machine.state import Phase
from switchover.plan.runs import scheduled_runs
from switchover.routing.router import Router
from switchover.wiring import load_settings, open_schedules
from tests.eventually import eventually

pytestmark = [
    pytest.mark.req("R7"), pytest.mark.timeout(300),
]  # fmt: skip

PARTS = ("detection", "decision", "propagation", "validation")


def canary(percent: float) -> list[dict[str, Any]]:
    """Checks, a first canary stage, and all."""
    return [{"kind": "checks"}, {"kind": "canary", "percent": percent, "bake": "1s"},
            {"kind": "canary", "percent": 100, "bake": "1s"}]  # fmt: skip


def told(journey: Any, event: str) -> list[dict[str, Any]]:
    """Payloads of the custom events of a kind that Prefect has of the migration."""
    window = {"since": (datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
              "until": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}  # fmt: skip
    wanted = {"event": {"name": [event]}, "occurred": window,
              "resource": {"id": [f"switchover.migration.{journey.migration}"]}}  # fmt: skip
    found = journey.land.call("/events/filter", {"filter": wanted, "limit": 10})
    return [each["payload"] for each in found["events"]]


@pytest.mark.req("P5", "P11", "P12")
def test_a_drill_run_opens_the_way_past_the_first_canary(journey: Any) -> None:
    """The step is refused, a run measures the way back, and the step is taken; the figures are in
    the ledger, in the artifact and in the event."""
    journey.start(stages=canary(25), drill={"max_age": "30d"})
    assert journey.step().action == "enter"
    journey.evidence()
    assert "the step needs a successful drill of the last 30 d" in journey.look().sentence
    assert journey.case.state.split == 2500
    kind, _, message = journey.run("drill/drill", actor="ada")
    assert kind == "COMPLETED", message
    [entry] = journey.entries("drilled")
    drilled = entry.payload
    assert (drilled["actor"], drilled["ok"], drilled["real"]) == ("ada", True, False)
    assert None not in [drilled[part] for part in PARTS]
    assert f"the drill succeeded: detection {drilled['detection']:.3f} s" in message
    shown = journey.artifacts()["drills"]["data"]
    assert "1 of the last 1 succeeded" in shown
    assert f"| {drilled['propagation']:.3f} s | {drilled['validation']:.3f} s |" in shown
    [payload] = journey.asked(lambda: told(journey, "switchover.drilled"), "event")
    assert {part: payload[part] for part in PARTS} == {part: drilled[part] for part in PARTS}
    assert "canary 100 % begins" in journey.advance()


@pytest.fixture
def planned(journey: Any) -> Iterator[Any]:
    """Brings the plan's drill to Prefect, as `switchover deploy` does, and takes it away."""
    with closing(open_schedules(load_settings(journey.land.env))) as schedules:
        yield lambda: schedules.bring(
            [run for run in scheduled_runs(journey.case.plan) if run.deployment == "drill/drill"]
        )
        schedules.remove(journey.migration)


def next_run(journey: Any) -> dict[str, Any] | None:
    """The first run that Prefect has planned by the schedule."""
    deployment = journey.land.registered["drill/drill"]["id"]
    found = journey.land.call("/flow_runs/filter", {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    })  # fmt: skip
    return next((r for r in found if r["parameters"]["migration"] == journey.migration), None)


@pytest.mark.req("P7")
def test_a_scheduled_drill_with_the_real_traffic_leaves_everything_as_it_was(
    journey: Any, planned: Any
) -> None:
    """Prefect plans a run by the plan's cron; brought forward, it turns the migration's own router
    to legacy and back. Split and phase are as before, and it is no incident."""
    hour = (datetime.now(UTC).hour + 12) % 24
    journey.start(stages=canary(1), drill={"target": "real", "cron": f"0 {hour} * * *"})
    assert journey.step().action == "enter"
    before = journey.case.state
    assert planned() == {f"{journey.migration}-drill": "created"}
    run = journey.asked(lambda: next_run(journey), "planned run")
    assert run["auto_scheduled"]
    assert datetime.fromisoformat(run["expected_start_time"]).hour == hour
    modes: list[str] = []
    with Router(journey.migration, journey.land.env["SWITCHOVER_REDIS_URL"]) as router:
        router.on_change(lambda change: modes.append(router.mode))
        assert router.wait_ready()
        bring_forward(journey, run["id"])
        kind, _, message = journey.ended(run["id"])
        assert kind == "COMPLETED", message
        assert eventually(lambda: router.mode == "gradual")
    assert "legacy_only" in modes
    [entry] = journey.entries("drilled")
    assert (entry.payload["actor"], entry.payload["real"]) == ("schedule", True)
    assert entry.payload["own"] == 1
    state = journey.case.state
    assert (state.phase, state.mode, state.split) == (Phase.RUNNING, before.mode, 100)
    assert (state.incident, state.inquiries, state.halt) == ("", (), "")
    assert journey.entries("rolled_back") == []
    assert "incident" not in journey.artifacts()


def bring_forward(journey: Any, run: str) -> None:
    """Let a planned run begin now, as `Run now` in the UI does."""
    now = {"scheduled_time": datetime.now(UTC).isoformat()}
    state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": now}
    journey.land.call(f"/flow_runs/{run}/set_state", {"state": state, "force": True})

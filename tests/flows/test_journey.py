"""One migration from its start to complete, every step on Prefect."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import pytest

from switchover.engine.work import record_work
from switchover.errors import InputError
from switchover.ledger import verify
from switchover.ports import CheckResult

pytestmark = pytest.mark.timeout(300)

STAGES = [
    {"kind": "checks"},
    {"kind": "shadow", "bake": "2s"},
    {"kind": "adapters"},
    {"kind": "canary", "percent": 25, "bake": "2s", "approval": True},
    {"kind": "canary", "percent": 100, "bake": "2s", "approval": True},
]
CONSUMERS = [
    {
        "name": "v1",
        "adapter": "flow_adapters:to_v1",
        "contract": "v1.schema.json",
        "forbidden": ["detail"],
        "recordings": "answers.jsonl",
    }
]
RANGE = {"column": "score", "min_value": 0, "max_value": 1}


def data_checks(land: Any) -> list[dict[str, Any]]:
    """A suite over the services' table."""
    return [
        {
            "name": "scores are whole",
            "database": f"sqlite:///{land.database}",
            "table": "answers",
            "expectations": [{"expect": "column_values_to_be_between", "arguments": RANGE}],
        }
    ]


@pytest.mark.req("P1", "P2", "P4", "P6", "P8", "P11")
def test_a_migration_goes_from_start_to_complete_on_prefect(
    land: Any, journey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each advance takes one step; people approve in Prefect and by command; all is recorded."""
    journey.start(stages=STAGES, consumers=CONSUMERS, data_checks=data_checks(land))
    kind, _, message = journey.run("advance/advance", actor="test")
    assert (kind, "shadow begins" in message) == ("COMPLETED", True), message
    journey.evidence()
    assert "adapters begins" in journey.advance()
    assert "needs a person's approval" in journey.advance()
    approve_in_prefect(journey)
    assert journey.case.state.split == 2500
    assert land.context.routing.read(journey.migration).split == 2500

    journey.evidence()
    assert "needs a person's approval" in journey.advance()
    approve_by_command(land, journey, monkeypatch)
    journey.evidence()
    assert "complete begins" in journey.advance()

    entered = [entry.payload["title"] for entry in journey.entries("stage_entered")]
    assert entered == ["shadow", "adapters", "canary 25 %", "canary 100 %", "complete"]
    assert [e.payload["ok"] for e in journey.entries("work_recorded")] == [True, True]
    assert [e.payload["stage"] for e in journey.entries("data_checked")] == [1, 3, 4]
    assert land.context.routing.read(journey.migration).mode == "candidate_only"
    assert verify(land.ledger, journey.migration) == []
    look_at_artifacts(journey)


def approve_in_prefect(journey: Any) -> None:
    """The form, as the Prefect UI sends it: faulty, from the wrong person, and right."""
    run = journey.suspended()
    with pytest.raises(InputError, match="decision"):
        journey.launcher.resume(run, {"decision": "perhaps", "approver": "ada"})
    assert journey.launcher.state(run)[1] == "Suspended"
    journey.launcher.resume(run, {"decision": "approve", "approver": "mallory"})
    journey.until(run, {"Running"})
    journey.until(run, {"Suspended"})
    assert journey.case.state.approval.status == "pending"
    journey.launcher.resume(run, {"decision": "approve", "approver": "ada", "reason": "good"})
    kind, _, message = journey.ended(run)
    assert (kind, "canary 25 % begins" in message) == ("COMPLETED", True), message
    (decided,) = journey.entries("approval_decided")
    assert (decided.payload["approver"], decided.payload["via"]) == ("ada", "prefect")
    assert decided.payload["reason"] == "good"


def approve_by_command(land: Any, journey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`switchover approve` ends the waiting run and starts the step."""
    from switchover.cli.main import run as switchover

    waiting = journey.suspended()
    for name, value in land.env.items():
        monkeypatch.setenv(name, value)
    assert switchover(["approve", journey.migration, "--as", "mallory"]) == 4
    assert switchover(["approve", journey.migration, "--as", "bo", "--reason", "go"]) == 0
    kind, _, message = journey.ended(waiting)
    # "settled" where the step was taken before the waiting run looked again.
    assert kind == "COMPLETED"
    assert "is approved" in message or "is settled" in message
    effects = land.ledger.effects(journey.migration)
    (advance,) = [row for row in effects if row["key"].endswith(":advance")]
    kind, _, message = journey.ended(advance["result"]["run"])
    assert (kind, "canary 100 % begins" in message) == ("COMPLETED", True), message
    assert journey.entries("approval_decided")[-1].payload["via"] == "cli"


def look_at_artifacts(journey: Any) -> None:
    """What people look at has real content."""
    from PIL import Image

    artifacts = journey.artifacts()
    assert artifacts.keys() == {
        "stages", "gates", "agreement", "progress", "comparison", "comparison-plot", "runbook",
    }  # fmt: skip
    assert "| success_rate | 100 % | 100 % | 0 points |" in artifacts["comparison"]["data"]
    assert artifacts["comparison-plot"]["data"].startswith("data:image/png;base64,")
    stages = artifacts["stages"]["data"]
    assert "canary 25 %" in stages
    assert "approved by ada" in stages
    assert "approved by bo" in stages
    assert artifacts["gates"]["description"] == "Gates that let complete begin"
    gates = artifacts["gates"]["data"]
    assert "**agreement**" in gates
    assert "600" in gates
    assert "promote" in gates
    assert artifacts["progress"]["data"] == 100.0
    address = artifacts["agreement"]["data"]
    assert address.startswith("data:image/png;base64,")
    with Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        picture.load()
        assert picture.width > 500
        assert len(picture.convert("RGB").getcolors(1_000_000)) > 20


@pytest.mark.req("P1", "P8")
def test_failing_checks_and_bad_data_hold_and_hide_nothing(land: Any, journey: Any) -> None:
    """A sick candidate leaves legacy's result visible; a bad row in the data stops the step."""
    journey.start(data_checks=data_checks(land))
    land.candidate.well = False
    assert "1 of 2 failed" in journey.advance()
    (work,) = journey.entries("work_recorded")
    found = {result["name"]: result["ok"] for result in work.payload["results"]}
    assert found == {"legacy is healthy": True, "candidate is healthy": False}
    assert journey.case.state.stage == 0
    land.candidate.well = True
    assert journey.step().action == "enter"

    land.write_answers([0.5, 7.0])
    journey.evidence()
    message = journey.advance()
    assert "scores are whole" in message
    assert journey.case.stage.kind == "shadow"
    (data,) = journey.entries("data_checked")
    assert not data.payload["ok"]
    land.write_answers([0.5, 0.7])
    assert "canary 25 % begins" in journey.advance()


@pytest.mark.req("P7")
def test_an_advance_in_a_freeze_window_works_but_takes_no_step_and_says_why(journey: Any) -> None:
    """The run completes with the window's reason as its message; its checks are recorded."""
    window = {"start": "2020-01-01T00:00:00", "end": "2099-01-01T00:00:00", "reason": "moving"}
    journey.start(schedule={"freeze": [window]})
    message = journey.advance()
    assert message == "frozen by the plan (moving) until Thu 2099-01-01 00:00 UTC"
    assert journey.case.state.work.ok
    assert journey.entries("stage_entered") == []


@pytest.mark.req("P7")
def test_passed_work_is_left_by_the_next_advance(journey: Any) -> None:
    """Where a freeze, an approval or a crash came between work and step, the step still follows."""
    stages = [{"kind": "checks"}, {"kind": "adapters"}, {"kind": "canary", "percent": 100}]
    journey.start(stages=stages, consumers=CONSUMERS)
    journey.step()
    done = [CheckResult("by hand", True, "fine", 0.0)]
    record_work(journey.context, journey.migration, "adapters", done, actor="test")
    assert "canary 100 % begins" in journey.advance()
    assert journey.case.state.split == 10_000

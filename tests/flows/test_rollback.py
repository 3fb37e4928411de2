"""The way back: by a monitor run, and by hand from Prefect."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.logging import disable_run_logger

import tasks.rollback
from switchover.api.serve import assemble
from switchover.cli.main import run
from switchover.engine.advance import take_step
from switchover.engine.hold import hold
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.errors import InputError
from switchover.wiring import build_context, load_settings
from tasks.rollback import to_legacy
from tests.eventually import eventually
from tests.flows.conftest import Journey
from tests.flows.processes import process_of, wait_for
from tests.integration.api.conftest import listening

pytestmark = pytest.mark.timeout(300)

ASKING = [
    {"kind": "checks"},
    {"kind": "shadow", "bake": "1s"},
    {"kind": "canary", "percent": 25, "bake": "1s"},
    {"kind": "canary", "percent": 100, "bake": "1s", "approval": True},
]


STEPS = ("cache", "routes", "tell")
#: Entries of a rollback's record, however it was ordered.
RECORD = {"rolled_back": 1, "rollback_measured": 1, "rollback_step_begun": 3,
          "rollback_step_done": 3, "wave_validated": 1}  # fmt: skip


def levels(land: Any, **second: Any) -> dict[str, Any]:
    """Three steps of the service, one after the other; ``second`` is more on that one."""
    steps = [
        {"name": name, "method": "configuration", "after": [*STEPS[max(0, place - 1) : place]],
         "action": {"kind": "http", "method": "GET", "url": f"{land.legacy.url}/{name}"}}
        for place, name in enumerate(STEPS)
    ]  # fmt: skip
    steps[1] |= second
    return {"levels": {"service": steps}}


def record(journey: Any) -> dict[str, int]:
    """How many entries of a rollback's record there are, by kind."""
    return {kind: len(journey.entries(kind)) for kind in RECORD}


def ended_well(journey: Any) -> None:
    """Each step was done once, in order, and the wave found that it worked."""
    done = [entry.payload for entry in journey.entries("rollback_step_done")]
    assert [(each["step"], each["outcome"]) for each in done] == [(n, "done") for n in STEPS]
    assert journey.entries("wave_validated")[0].payload["ok"]
    assert journey.case.state.inquiries[0].state == "mitigated"


@pytest.mark.req("R1", "R2", "R4", "P5", "P11", "INV5")
def test_monitor_rolls_back_a_bad_candidate_while_people_are_asked(
    land: Any, journey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing is at legacy, steps and waves follow, the incident is written, and the approval's
    run ends by itself; somebody who orders the same changes nothing."""
    journey.start(stages=ASKING, rollback={"flags": ["new-scores"], **levels(land)})
    journey.step()
    journey.step()
    waiting = journey.ask()
    journey.evidence(bad=0.6, disagree=0.05)
    kind, _, message = journey.here("monitor")
    assert kind == "COMPLETED", message
    assert f"{journey.migration}: " in message
    by_command(land, journey.migration, monkeypatch)
    assert eventually(lambda: record(journey) == RECORD, 90), record(journey)
    ended_well(journey)
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
        if row["kind"] == "incident_report" and row["result"]
    ]
    assert journey.case.state.incident in Path(reports[-1]).read_text(encoding="utf-8")
    artifacts = journey.artifacts()
    assert "success" in artifacts["incident"]["data"]
    assert "the analysis lacks root cause" in artifacts["incident"]["data"]
    assert artifacts["incident-plot"]["data"].startswith("data:image/png;base64,")
    assert "| `score` | beyond the tolerance |" in artifacts["mismatches"]["data"]


@pytest.mark.req("R2", "R4", "P5", "INV4", "INV5")
def test_every_way_to_order_a_rollback_ends_in_the_same_record(
    land: Any, journey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form, the command and the API: the traffic turns, the steps are taken, the waves are
    run, once, though each is ordered again; a held migration too."""
    doors = {way: Journey(land, f"{journey.migration[:30]}-{way}")
             for way in ("form", "command", "api")}  # fmt: skip
    for each in doors.values():
        each.start(rollback=levels(land))
        each.step()
    hold(land.context, doors["form"].migration, actor="bo", reason="lunch")
    form = doors["form"].launch("rollback/rollback", reason="strange scores", actor="bo")
    for _ in range(2):
        by_command(land, doors["command"].migration, monkeypatch)
        by_api(land, doors["api"].migration)
    kind, _, message = journey.ended(form)
    assert (kind, "is back on legacy" in message) == ("COMPLETED", True), message
    by_api(land, doors["form"].migration)
    for way, each in doors.items():
        assert eventually(lambda each=each: record(each) == RECORD, 90), (way, record(each))
        ended_well(each)
        assert land.context.routing.read(each.migration).mode == "emergency_rollback"
        [entry] = each.entries("rolled_back")
        who = (entry.payload["actor"], entry.payload["trigger"])
        assert who == ({"form": "bo", "command": "carl", "api": "eve"}[way], "person")
    outcome = take_step(land.context, doors["form"].migration, actor="bo")
    assert (outcome.did, "strange scores" in outcome.sentence) == (False, True)


def by_command(land: Any, migration: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`switchover rollback`, on the stack."""
    with monkeypatch.context() as patch:
        for name, value in land.env.items():
            patch.setenv(name, value)
        assert run(["rollback", migration, "--reason", "strange scores", "--as", "carl"]) == 0


def by_api(land: Any, migration: str) -> None:
    """POST to the API, as eve with her code."""
    assert land.context.approvers is not None
    code = land.context.approvers.issue("eve", "")
    with listening(assemble(load_settings(land.env))) as url:
        answer = httpx.post(f"{url}/api/migrations/{migration}/rollback", auth=("eve", code),
                            json={"reason": "strange scores"}, timeout=30)  # fmt: skip
    assert answer.status_code == 200, answer.text


@pytest.mark.req("R2", "INV4")
def test_a_run_that_is_killed_in_the_middle_of_a_step_is_gone_on_with(
    land: Any, journey: Any
) -> None:
    """SIGKILL while the second step calls out: a run that comes at once leaves it to whoever may
    still run it; when its time is over it is repeated, as it may be, and the third follows. The
    first is not taken again."""
    begun = f"{land.candidate.url}/routes"
    second = {"action": {"kind": "http", "method": "GET", "url": begun}, "limit": "4s",
              "repeatable": True}  # fmt: skip
    journey.start(rollback=levels(land, **second))
    journey.step()
    incident = roll_back(
        land.context, journey.migration, actor="bo", trigger="person", reason="strange scores"
    ).incident
    order = {"reason": "strange scores", "actor": "bo", "incident": incident}
    land.candidate.open.clear()
    before = land.candidate.calls
    killed = journey.launch("rollback/rollback", **order)
    process = process_of(killed)
    wait_for(lambda: land.candidate.calls > before, "the second step never came")
    os.kill(process, signal.SIGKILL)
    assert journey.ended(killed)[0] == "CRASHED"
    land.candidate.open.set()
    kind, _, message = journey.run("rollback/rollback", **order)
    assert kind == "COMPLETED", message
    until = journey.entries("rollback_step_begun")[1].payload["until"]
    if time.time() < until:
        assert "steps of the rollback are running" in message
    time.sleep(max(0.0, until - time.time()))
    kind, _, message = journey.run("rollback/rollback", **order)
    assert (kind, "3 steps of the rollback ended well" in message) == ("COMPLETED", True), message
    names = [entry.payload["step"] for entry in journey.entries("rollback_step_begun")]
    assert names == ["cache", "routes", "routes", "tell"]
    assert record(journey) == {**RECORD, "rollback_step_begun": 4}
    ended_well(journey)


@pytest.mark.req("R2", "P5", "P11")
def test_the_form_goes_back_by_component_and_says_beforehand_what_it_would_do(
    land: Any, journey: Any
) -> None:
    """The dry run touches nothing; the component's flags go off and the candidate goes on to
    serve; a level without its component is refused with a sentence."""
    flags = [{"name": "new-scores", "component": "scores", "enabled": True, "percent": 100}]
    steps = levels(land)["levels"]["service"]
    journey.start(flags=flags, rollback={"levels": {"service": steps, "component": {
        "scores": [steps[0]],
    }}})  # fmt: skip
    journey.step()
    revision = journey.case.state.revision
    form = {"reason": "strange scores", "actor": "bo"}
    with pytest.raises(InputError, match="belong together"):
        to_legacy.fn(journey.migration, "bo", "strange scores", "component", "")
    kind, _, message = journey.here("rollback", **form, dry_run=True)
    assert (kind, "3 steps would follow" in message) == ("COMPLETED", True), message
    assert "| 2 | **routes** | configuration |" in journey.artifacts()["rollback-preview"]["data"]
    assert journey.case.state.revision == revision
    kind, _, message = journey.run(
        "rollback/rollback", **form, level="component", component="scores"
    )
    assert (kind, "component scores of" in message) == ("COMPLETED", True), message
    assert eventually(lambda: len(journey.entries("rollback_step_done")) == 1, 60)
    assert journey.entries("rolled_back") == []
    [entry] = journey.entries("component_rolled_back")
    assert (entry.payload["component"], entry.payload["actor"]) == ("scores", "bo")
    assert not journey.case.state.flags["new-scores"]["enabled"]


@pytest.mark.req("R8", "P5")
def test_a_rollback_that_redis_has_not_taken_is_not_said_to_have_turned(
    land: Any, journey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on record and the run goes on with that, but it will have failed, and says why; the
    next look at the migration turns the traffic."""
    journey.start()
    journey.step()
    away = {**land.env, "SWITCHOVER_REDIS_URL": "redis://127.0.0.1:9/0"}
    monkeypatch.setattr(tasks.rollback, "engine", lambda: build_context(load_settings(away)))
    with disable_run_logger():
        outcome = to_legacy.fn(journey.migration, "bo", "strange scores", "service", "")
    assert (outcome["ok"], outcome["recorded"]) == (False, True)
    assert (
        f"a rollback of {journey.migration} was ordered and is not confirmed"
        in (outcome["sentence"])
    )
    assert land.context.routing.read(journey.migration).mode != "emergency_rollback"
    reconcile(land.context, journey.migration)
    assert land.context.routing.read(journey.migration).mode == "emergency_rollback"

"""Approving over HTTP: the same use case, the same rules, and an answer that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover import Recorder
from switchover.engine.advance import take_step
from switchover.engine.drain import drain
from switchover.engine.hold import hold
from tests.integration.api.conftest import PLAN, World, world_on


@pytest.mark.req("P6")
def test_an_approver_sees_the_evidence_and_approves(world: World) -> None:
    """The request shows who may and what is missing; the decision is on record with its way."""
    approval = world.ask()
    found = world.call("GET", "/api/migrations/demo/approvals", "ada")
    assert found.status_code == 200, found.text
    shown = found.json()["approval"]
    assert (shown["id"], shown["status"]) == (approval, "pending")
    assert shown["reading"]["gates"][0]["n"] == 2000
    assert shown["may_approve"] == ["ada", "bo"]
    assert shown["missing"]
    answer = world.decide("ada", "approve", "agreement is steady")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "migration": "demo", "approval": approval, "status": "approved", "votes": ["ada"],
        "missing": [],
    }  # fmt: skip
    last = world.context.ledger.entries("demo")[-1]
    assert last.kind == "approval_decided"
    assert (last.payload["via"], last.payload["identity"]) == ("api", "api")
    assert (last.payload["approver"], last.payload["reason"]) == ("ada", "agreement is steady")


@pytest.mark.req("P6")
def test_the_run_that_waits_in_prefect_ends_and_the_step_is_started(world: World) -> None:
    """Approved by API: the paused run is resumed to its end, and an advance begins, by itself."""
    approval = world.ask()
    drain(world.context)
    assert world.prefect.runs[f"{approval}:run"]["state"] == "PAUSED"
    assert world.decide("ada", "approve").status_code == 200
    world.wait_for(lambda: f"{approval}:advance" in world.prefect.runs)
    assert world.prefect.runs[f"{approval}:run"]["resumed"] == 1


@pytest.mark.req("P6")
def test_the_quorum_counts_people_and_not_their_clicks(
    sqlite_url: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """With two wanted, one who approves twice is one; a second person completes it."""
    plan = PLAN.replace("min_approvers: 1", "min_approvers: 2")
    with world_on(sqlite_url, fresh_redis_url, tmp_path, plan=plan) as world:
        world.ask()
        for _ in range(2):
            answer = world.decide("ada", "approve")
            assert (answer.status_code, answer.json()["status"]) == (200, "pending")
            assert answer.json()["votes"] == ["ada"]
            assert answer.json()["missing"] == ["1 more of bo"]
        shown = world.call("GET", "/api/migrations/demo/approvals", "bo").json()["approval"]
        [vote] = shown["votes"]
        assert (vote["approver"], vote["via"], vote["identity"]) == ("ada", "api", "api")
        assert shown["missing"] == ["1 more of bo"]
        assert world.decide("bo", "approve").json()["status"] == "approved"


@pytest.mark.req("P6")
@pytest.mark.parametrize("who", ["eve", "carl"])
def test_who_may_not_approve_is_forbidden_to(world: World, who: str) -> None:
    """A right code is not a right to decide: strangers, and with four eyes who started, get 403."""
    world.ask()
    answer = world.decide(who, "approve")
    assert answer.status_code == 403
    assert who in answer.json()["error"]
    assert world.approval.status == "pending"


@pytest.mark.req("P6")
def test_a_settled_request_is_settled(world: World) -> None:
    """After a rejection an approval is a conflict, and so is a request that never was."""
    world.ask()
    assert world.decide("bo", "reject", "not on a Friday").json()["status"] == "rejected"
    late = world.decide("ada", "approve")
    assert late.status_code == 409
    assert "already rejected" in late.json()["error"]
    path = "/api/migrations/demo/approvals/demo-0000000000/decision"
    assert world.call("POST", path, "ada", json={"decision": "approve"}).status_code == 409


@pytest.mark.req("P6")
def test_who_is_asked_to_pass_the_point_of_no_return_is_told(
    sqlite_url: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """Over HTTP as on every other way: before the decision, not after it."""
    plan = PLAN.replace("approval: true", "approval: true, reversibility: point_of_no_return")
    with world_on(sqlite_url, fresh_redis_url, tmp_path, plan=plan) as world:
        world.ask()
        shown = world.call("GET", "/api/migrations/demo/approvals", "ada").json()["approval"]
        assert "point of no return" in shown["warning"]
        assert world.decide("ada", "approve").status_code == 200
        assert take_step(world.context, "demo", actor="t").action == "enter"
        order = {"json": {"reason": "complaints"}}
        refused = world.call("POST", "/api/migrations/demo/rollback", "ada", **order)
        assert refused.status_code == 409
        assert "--past-the-point-of-no-return" in refused.json()["what_to_do"]


@pytest.mark.req("INV10")
def test_evidence_that_has_turned_is_not_approved(world: World) -> None:
    """Bad blocks that came in after the request make it void at the moment of the decision."""
    approval = world.ask()
    with Recorder("demo", world.settings.redis_url) as recorder:
        for _ in range(2000):
            recorder.record("success_rate", False, system="candidate")
    answer = world.decide("ada", "approve")
    assert answer.status_code == 409, answer.text
    assert world.approval.status == "void"
    assert "void" in answer.json()["error"] + answer.json()["what_to_do"]
    # The refusal settled it, so the run that waits for it ends too.
    world.wait_for(lambda: world.prefect.runs.get(f"{approval}:run", {}).get("resumed") == 1)


@pytest.mark.req("P6")
def test_nothing_open_is_said_so(world: World) -> None:
    """No request: an empty document, and a conflict for who decides."""
    found = world.call("GET", "/api/migrations/demo/approvals", "ada")
    assert found.json() == {"migration": "demo", "approval": None}
    hold(world.context, "demo", actor="carl", reason="tea")
    path = "/api/migrations/demo/approvals/none/decision"
    answer = world.call("POST", path, "ada", json={"decision": "approve"})
    assert answer.status_code == 409
    assert "approval" in answer.json()["error"]


@pytest.mark.req("K6")
@pytest.mark.req("P6")
def test_approving_works_on_postgresql(
    postgres_database: str, fresh_redis_url: str, tmp_path: Path
) -> None:
    """The same journey on the database that real deployments use."""
    with world_on(postgres_database, fresh_redis_url, tmp_path) as world:
        world.ask()
        assert world.call("GET", "/ready").status_code == 200
        assert world.decide("ada", "approve").json()["status"] == "approved"
        assert world.decide("ada", "approve").json()["status"] == "approved"
        kinds = [entry.kind for entry in world.context.ledger.entries("demo")]
        assert kinds.count("approval_decided") == 1

"""Rolling back over HTTP, with what it does not need away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from switchover.ledger.approvers import SqlApprovers
from switchover.testing.embedded import Postgres
from tests.integration.api.conftest import World, world_on

LIST = "/api/migrations"
PATH = "/api/migrations/demo/rollback"
ORDER = {"json": {"reason": "bad feeling"}}


@pytest.mark.req("R1")
@pytest.mark.req("P5")
def test_a_rollback_by_api_turns_traffic_and_leaves_an_incident(world: World) -> None:
    """Asked twice it is one incident, under the name of who asked."""
    world.to_canary()
    first = world.call("POST", PATH, "eve", **ORDER)
    assert first.status_code == 200, first.text
    outcome = first.json()
    assert outcome["recorded"]
    snapshot = world.context.routing.read("demo")
    assert snapshot is not None
    assert (snapshot.mode, snapshot.split) == ("emergency_rollback", 0)
    entry = next(e for e in world.context.ledger.entries("demo") if e.kind == "rolled_back")
    assert (entry.payload["actor"], entry.payload["reason"]) == ("eve", "bad feeling")
    again = world.call("POST", PATH, "ada", **ORDER).json()
    assert again["incident"] == outcome["incident"]
    world.wait_for(lambda: list(Path(world.settings.incidents_dir).glob("*.md")) != [])
    world.wait_for(lambda: any("rolled back" in m["text"] for m in world.slack.messages))


@pytest.mark.req("P5")
def test_a_rollback_ends_a_waiting_approval(world: World) -> None:
    """Nothing is left to decide, and the message says so."""
    approval = world.ask()
    world.message()
    assert world.call("POST", PATH, "bo", **ORDER).status_code == 200
    world.wait_for(lambda: world.prefect.runs[f"{approval}:run"]["state"] == "COMPLETED")
    world.wait_for(lambda: "Nothing is left to decide" in str(world.message()["blocks"]))
    path = f"/api/migrations/demo/approvals/{approval}/decision"
    assert world.call("POST", path, "ada", json={"decision": "approve"}).status_code == 409


@pytest.mark.req("INV7")
@pytest.mark.timeout(120)
def test_a_rollback_by_api_needs_no_database(fresh_redis_url: str, tmp_path: Path) -> None:
    """Who was admitted before turns traffic with PostgreSQL gone; a stranger still gets nowhere,
    and the record is completed when it is back."""
    with Postgres() as server:
        url = server.create_database("ledger")
        with world_on(url, fresh_redis_url, tmp_path) as world:
            world.to_canary()
            world.call("GET", "/api/migrations", "ada").raise_for_status()
            server.stop()
            assert world.call("GET", "/api/migrations", "ada").status_code == 503
            for stranger in (("bo", world.codes["bo"]), ("ada", "wrong")):
                refused = world.call("POST", PATH, auth=stranger, **ORDER)
                assert refused.status_code == 503
                assert "switchover rollback" in refused.json()["what_to_do"]
            assert world.context.routing.halted("demo") is None
            answer = world.call("POST", PATH, "ada", **ORDER)
            assert answer.status_code == 200, answer.text
            assert not answer.json()["recorded"]
            assert answer.json()["pending"]
            snapshot = world.context.routing.read("demo")
            assert snapshot is not None
            assert snapshot.mode == "emergency_rollback"


@pytest.mark.req("INV7")
def test_requests_that_hang_in_a_database_hold_up_no_rollback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More requests than there are common threads wait for the register of approvers: health and
    the rollback of somebody known answer nevertheless."""
    world.to_canary()
    world.call("GET", LIST, "ada").raise_for_status()
    entered, end, verify = threading.Semaphore(0), threading.Event(), SqlApprovers.verify

    def hanging(self: SqlApprovers, name: str, code: str) -> None:
        entered.release()
        end.wait(60)
        verify(self, name, code)

    monkeypatch.setattr(SqlApprovers, "verify", hanging)
    with ThreadPoolExecutor(45) as pool:
        try:
            for _ in range(45):
                pool.submit(world.call, "GET", LIST, "ada")
            for _ in range(40):  # as many as there are common threads
                assert entered.acquire(timeout=20)
            assert world.call("GET", "/health").status_code == 200
            answer = world.call("POST", PATH, "ada", **ORDER)
            assert answer.status_code == 200, answer.text
        finally:
            monkeypatch.setattr(SqlApprovers, "verify", lambda *_: None)
            end.set()

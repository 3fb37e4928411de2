"""The ledger's entries as custom events on a real Prefect server, and an automation on them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deployments.automations import install
from switchover.engine.announce import announce
from switchover.errors import DependencyUnavailable
from switchover.launcher.prefect_events import PrefectEvents
from switchover.launcher.session import PrefectSession
from switchover.machine.event import Held, Resumed
from switchover.testing.announcements import MemoryAnnouncements
from switchover.testing.embedded import PrefectServer
from switchover.testing.ledger import InMemoryLedger, begin_migration

#: Events are taken in by a queue of the server; it is asked so often, every half second.
TRIES = 120


def read_events(server: PrefectServer, migration: str) -> list[dict[str, Any]]:
    """What the server stored about a migration, oldest first."""
    resource = {"id": [f"switchover.migration.{migration}"]}
    body = {"filter": {"resource": resource, "order": "ASC"}, "limit": 50}
    answer = httpx.post(f"{server.api_url}/events/filter", json=body, auth=credential(server))
    return list(answer.raise_for_status().json()["events"])


def credential(server: PrefectServer) -> tuple[str, str]:
    user, _, password = server.auth.partition(":")
    return user, password


@pytest.fixture
def sink(prefect_api: PrefectServer) -> PrefectEvents:
    """Events of the shared server."""
    return PrefectEvents(PrefectSession(prefect_api.api_url, prefect_api.auth, 5.0))


@pytest.fixture
def ledger() -> InMemoryLedger:
    """A migration of its own, so that tests don't see each other's events."""
    ledger = InMemoryLedger()
    name = f"mood-{uuid4().hex[:8]}"
    begin_migration(ledger, name, at=datetime.now(UTC))
    now = datetime.now(UTC)
    ledger.append(name, 1, Held(now.timestamp(), "ada", "lunch"), at=now, actor="ada")
    return ledger


@pytest.mark.req("P12")
def test_entries_become_events_once(
    prefect_api: PrefectServer, sink: PrefectEvents, ledger: InMemoryLedger
) -> None:
    """Announced twice, as after a crash between publishing and confirming: stored once."""
    [state] = ledger.migrations()
    assert announce(MemoryAnnouncements(ledger), sink) == 2
    assert announce(MemoryAnnouncements(ledger), sink) == 2
    now = datetime.now(UTC)
    ledger.append(state.migration, 2, Resumed(0.0, "bo", "last"), at=now, actor="bo")
    again = MemoryAnnouncements(ledger)
    again.confirm(state.migration, 2)
    announce(again, sink)
    for _ in range(TRIES):
        found = read_events(prefect_api, state.migration)
        # The last one was sent after the doubles: when it is there, so is all else.
        if any(event["payload"].get("reason") == "last" for event in found):
            break
        time.sleep(0.5)
    assert sorted(event["payload"]["revision"] for event in found) == [1, 2, 3]
    held = next(event for event in found if event["payload"]["revision"] == 2)
    assert held["event"] == "switchover.held"
    assert held["payload"]["by"] == "ada"
    assert held["resource"]["prefect.resource.name"] == state.migration


@pytest.mark.req("P10")
def test_a_server_that_is_away_is_named(ledger: InMemoryLedger) -> None:
    """Nothing is confirmed then, so nothing is lost."""
    announcements = MemoryAnnouncements(ledger)
    away = PrefectEvents(PrefectSession("http://127.0.0.1:9/api", None, 0.5))
    with pytest.raises(DependencyUnavailable, match="Prefect"):
        announce(announcements, away)
    assert len(announcements.pending(10)) == 2


@pytest.mark.req("P12")
def test_an_automation_runs_a_deployment_for_an_event(
    prefect_api: PrefectServer, sink: PrefectEvents, ledger: InMemoryLedger
) -> None:
    """Installed twice it is one; the run knows which migration the event is about."""
    http = httpx.Client(base_url=prefect_api.api_url, auth=credential(prefect_api))
    flow = http.post("/flows/", json={"name": f"react-{uuid4().hex[:8]}"}).json()
    deployment = http.post("/deployments/", json={"name": "own", "flow_id": flow["id"]}).json()
    session = PrefectSession(prefect_api.api_url, prefect_api.auth, 5.0)
    name = f"on held {uuid4().hex[:8]}"
    first = install(session, name, "switchover.held", f"{flow['name']}/own")
    assert install(session, name, "switchover.held", f"{flow['name']}/own") == first
    # The server's triggers learn of a new automation a moment later: an event goes out each time.
    [state] = ledger.migrations()
    announce(MemoryAnnouncements(ledger), sink)
    criteria = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    runs: list[dict[str, Any]] = []
    for revision in range(2, TRIES, 2):
        runs = http.post("/flow_runs/filter", json=criteria).json()
        if runs:
            break
        now = datetime.now(UTC)
        resumed, held = Resumed(0.0, "bo", "on"), Held(0.0, "bo", "off")
        ledger.append(state.migration, revision, resumed, at=now, actor="bo")
        ledger.append(state.migration, revision + 1, held, at=now, actor="bo")
        fresh = MemoryAnnouncements(ledger)
        fresh.confirm(state.migration, revision)
        announce(fresh, sink)
        time.sleep(1.0)
    assert runs
    assert runs[0]["parameters"] == {"migration": state.migration}
    http.delete(f"/automations/{first}")
    session.close()
    http.close()

"""Prefect's scheduler makes runs: without them nobody monitors and nothing advances."""

from __future__ import annotations

import httpx
import pytest

from switchover.testing.embedded import PrefectServer


@pytest.mark.req("P7")
def test_a_deployed_schedule_makes_runs(prefect_api: PrefectServer) -> None:
    """The insertion of scheduled runs works with the installed versions; with SQLAlchemy 2.1
    it fails, and nothing but the server's log says so."""
    user, _, password = prefect_api.auth.partition(":")
    with httpx.Client(base_url=prefect_api.api_url, auth=(user, password), timeout=30) as api:
        flow = api.post("/flows/", json={"name": "scheduled"}).raise_for_status().json()
        schedule = {"schedule": {"interval": 60}, "active": True, "slug": "every-minute"}
        deployment = {"name": "scheduled", "flow_id": flow["id"], "schedules": [schedule]}
        made = api.post("/deployments/", json=deployment).raise_for_status().json()
        api.post(f"/deployments/{made['id']}/schedule", json={"min_runs": 3}).raise_for_status()
        wanted = {"deployments": {"id": {"any_": [made["id"]]}}}
        runs = api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
        api.delete(f"/deployments/{made['id']}").raise_for_status()
    assert len(runs) >= 3
    assert {run["state_name"] for run in runs} == {"Scheduled"}

"""`switchover deploy PLAN`: schedules on a real Prefect server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from switchover.errors import InputError
from switchover.launcher.prefect_schedules import PrefectSchedules
from switchover.plan.load import restore_plan
from switchover.plan.runs import DEPLOYMENTS, ScheduledRun, scheduled_runs
from switchover.testing.embedded import PrefectServer

pytestmark = pytest.mark.req("P7", "P12")

Cli = Callable[..., Any]


class Server:
    """A Prefect server with the deployments that have schedules of plans."""

    def __init__(self, server: PrefectServer) -> None:
        user, _, password = server.auth.partition(":")
        self.http = httpx.Client(base_url=server.api_url, auth=(user, password), timeout=30)
        for deployment in DEPLOYMENTS:
            flow, _, name = deployment.partition("/")
            flow_id = self.call("POST", "/flows/", {"name": flow})["id"]
            self.call("POST", "/deployments/", {"name": name, "flow_id": flow_id, "paused": False})

    def call(self, method: str, path: str, document: Any = None) -> Any:
        answer = self.http.request(method, path, json=document).raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/deployments/name/{name}")
        return found

    def schedules(self, migration: str) -> dict[str, dict[str, Any]]:
        """A migration's schedules on all deployments, by slug."""
        return {
            each["slug"]: each
            for name in DEPLOYMENTS
            for each in self.deployment(name)["schedules"]
            if each["parameters"].get("migration") == migration
        }

    def pause(self, deployment: str, schedule: dict[str, Any], *sent: str) -> None:
        """As the switch in the UI does, which sends the rest of the schedule, or as the command
        line, which does not."""
        place = f"/deployments/{self.deployment(deployment)['id']}/schedules/{schedule['id']}"
        self.call("PATCH", place, {"active": False, **{name: schedule[name] for name in sent}})


@pytest.fixture
def server(prefect_api: PrefectServer) -> Iterator[Server]:
    made = Server(prefect_api)
    yield made
    made.http.close()


@pytest.fixture
def schedules(prefect_api: PrefectServer) -> Iterator[PrefectSchedules]:
    made = PrefectSchedules(prefect_api.api_url, prefect_api.auth)
    yield made
    made.close()


def document(slug: str, **changes: Any) -> dict[str, Any]:
    return {
        "switchover": 1, "migration": slug, "title": slug,
        "systems": {
            "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
            "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
        },
        "request_key": {"field": "id"},
        "checks": [{"name": "up", "kind": "health"}],
        "stages": [{"kind": "checks"}, {"kind": "canary", "percent": 100}],
        "gates": [{"metric": "success_rate", "at_least": "90%"}],
        "schedule": {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"},
        **changes,
    }  # fmt: skip


def runs_of(slug: str, **changes: Any) -> tuple[ScheduledRun, ...]:
    return scheduled_runs(restore_plan(document(slug, **changes)))


@pytest.fixture
def slug() -> str:
    return f"m-{uuid4().hex[:8]}"


def test_a_plan_gets_its_schedules_once(
    server: Server, schedules: PrefectSchedules, slug: str
) -> None:
    """Cron, zone and parameters are the plan's; bringing them again changes nothing."""
    people = {"stakeholders": [{"name": "ops", "slack_channel": "#ops", "cron": "0 8 * * mon"}]}
    runs = runs_of(slug, notify=people)
    names = [f"{slug}-daily", f"{slug}-notice-ops", f"{slug}-review"]
    assert schedules.bring(runs) == dict.fromkeys(names, "created")
    first = server.schedules(slug)
    daily = first[f"{slug}-daily"]
    assert (daily["schedule"]["cron"], daily["schedule"]["timezone"], daily["active"]) == (
        "0 9 * * 1-5", "Europe/Berlin", True,
    )  # fmt: skip
    assert daily["parameters"] == {"migration": slug, "actor": "schedule"}
    assert schedules.bring(runs) == dict.fromkeys(names, "unchanged")
    assert server.schedules(slug) == first
    # Of a person whom the plan names no more nothing is left.
    assert schedules.bring(runs_of(slug))[f"{slug}-notice-ops"] == "removed"
    assert server.schedules(slug).keys() == {f"{slug}-daily", f"{slug}-review"}


@pytest.mark.req("R7")
def test_the_plans_drills_become_a_schedule_and_go_with_it(
    server: Server, schedules: PrefectSchedules, slug: str
) -> None:
    """In the plan's zone; a drill that people added by hand stays when the plan's goes."""
    name = f"{slug}-drill"
    assert schedules.bring(runs_of(slug, drill={"cron": "0 7 * * 2"}))[name] == "created"
    stored = server.schedules(slug)[name]
    assert (stored["schedule"]["cron"], stored["schedule"]["timezone"], stored["active"]) == (
        "0 7 * * 2", "Europe/Berlin", True,
    )  # fmt: skip
    assert stored["parameters"] == {"migration": slug, "actor": "schedule"}
    place = f"/deployments/{server.deployment('drill/drill')['id']}/schedules"
    own = {"slug": f"{name}-before-the-holidays", "parameters": {"migration": slug},
           "schedule": {"cron": "0 7 20 12 *", "timezone": "UTC"}}  # fmt: skip
    server.call("POST", place, [own])
    changes = schedules.bring(runs_of(slug))
    assert (changes[name], own["slug"] in changes) == ("removed", False)
    assert server.schedules(slug).keys() == {f"{slug}-daily", f"{slug}-review", own["slug"]}


def test_a_schedule_that_was_paused_stays_paused(
    server: Server, schedules: PrefectSchedules, slug: str
) -> None:
    """Over a change of the plan's cron line too; the runs come from the new one later."""
    schedules.bring(runs_of(slug))
    name = f"{slug}-daily"
    server.pause("advance/advance", server.schedules(slug)[name], "slug", "schedule", "parameters")
    assert schedules.bring(runs_of(slug))[name] == "unchanged"
    changed = runs_of(slug, schedule={"cron": "30 14 * * *", "timezone": "UTC"})
    assert schedules.bring(changed)[name] == "updated"
    stored = server.schedules(slug)[name]
    assert (stored["schedule"]["cron"], stored["schedule"]["timezone"]) == ("30 14 * * *", "UTC")
    assert not stored["active"]


def test_parameters_that_prefect_forgot_come_back(
    server: Server, schedules: PrefectSchedules, slug: str
) -> None:
    """Prefect's command line pauses a schedule and empties its parameters on the way."""
    runs = runs_of(slug)
    schedules.bring(runs)
    name = f"{slug}-daily"
    server.pause("advance/advance", server.schedules(slug)[name])
    assert name not in server.schedules(slug)
    assert schedules.bring(runs)[name] == "updated"
    stored = server.schedules(slug)[name]
    assert (stored["parameters"], stored["active"]) == (runs[0].parameters, False)
    server.pause("advance/advance", stored)
    assert name in schedules.remove(slug)
    assert schedules.remove(slug) == {}


def test_other_migrations_schedules_stay_as_they_are(
    server: Server, schedules: PrefectSchedules, slug: str
) -> None:
    """Neither bringing nor removing touches them, nor what people added for this one."""
    schedules.bring(runs_of(f"{slug}-x"))
    place = f"/deployments/{server.deployment('advance/advance')['id']}/schedules"
    own = {"slug": f"{slug}-noon", "schedule": {"cron": "0 12 * * *", "timezone": "UTC"},
           "parameters": {"migration": slug}}  # fmt: skip
    server.call("POST", place, [own])
    before = server.schedules(f"{slug}-x")
    schedules.bring(runs_of(slug))
    assert f"{slug}-noon" in server.schedules(slug)
    removed = schedules.remove(slug)
    assert removed.keys() == {f"{slug}-daily", f"{slug}-review", f"{slug}-noon"}
    assert server.schedules(slug) == {}
    assert schedules.remove(slug) == {}
    assert server.schedules(f"{slug}-x") == before
    theirs = replace(runs_of(f"{slug}-x")[0], parameters={"migration": slug})
    with pytest.raises(InputError, match=f"is one of {slug}-x; rename or remove"):
        schedules.bring([theirs])


def test_two_deployments_at_once_make_one_schedule(
    server: Server, prefect_api: PrefectServer, slug: str
) -> None:
    """Whoever is second takes what is there."""
    barrier = threading.Barrier(4)

    def bring(_: int) -> None:
        mine = PrefectSchedules(prefect_api.api_url, prefect_api.auth)
        barrier.wait(10)
        mine.bring(runs_of(slug))
        mine.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring, range(4)))
    found = [
        each["slug"]
        for name in DEPLOYMENTS
        for each in server.deployment(name)["schedules"]
        if each["parameters"].get("migration") == slug
    ]
    assert sorted(found) == [f"{slug}-daily", f"{slug}-review"]


def test_the_command_brings_and_removes(
    server: Server, prefect_api: PrefectServer, cli: Cli, slug: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With plans those of the plans, without any those of what the ledger holds."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api.api_url)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", prefect_api.auth)
    file = tmp_path / "one.yaml"
    file.write_text(json.dumps(document(slug)), encoding="utf-8")
    answer = cli("deploy", "--no-flows", file)
    assert answer.code == 0, answer.err
    assert f"schedule {slug}-daily: created" in answer.out
    assert cli("deploy", "--no-flows", "--remove", slug, "--json").document == {
        "flows": False,
        "schedules": dict.fromkeys((f"{slug}-daily", f"{slug}-review"), "removed"),
    }
    assert cli("deploy", "--remove", slug).out == f"{slug} has no schedule\n"
    assert cli("deploy", "--no-flows").out == ""
    assert cli("start", file).code == 0
    assert f"schedule {slug}-daily: created" in cli("deploy", "--no-flows").out
    assert cli("abort", slug, "--reason", "x").code in (0, 3)
    assert cli("deploy", "--no-flows").out == ""
    assert cli("deploy", "--no-flows", file, "--remove", slug).code == 2
    schedules = server.schedules(slug)
    assert schedules.keys() == {f"{slug}-daily", f"{slug}-review"}

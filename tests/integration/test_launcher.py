"""The launcher against a real Prefect server. No worker: the tests move the runs' states."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.launcher.prefect_api import PrefectLauncher
from switchover.testing.embedded import PrefectServer

SCHEMA = {
    "title": "Decision",
    "type": "object",
    "properties": {"approver": {"type": "string", "minLength": 1}},
    "required": ["approver"],
}


class Server:
    """A Prefect server with one deployment, and the states that a flow run would take."""

    def __init__(self, server: PrefectServer) -> None:
        user, _, password = server.auth.partition(":")
        self.http = httpx.Client(base_url=server.api_url, auth=(user, password))
        self.flow = f"approve-{uuid4().hex[:8]}"
        self.deployment = f"{self.flow}/door"
        flow = self.call("/flows/", {"name": self.flow})
        self.call(
            "/deployments/",
            {
                "name": "door",
                "flow_id": flow["id"],
                "enforce_parameter_schema": True,
                "parameter_openapi_schema": {
                    "type": "object",
                    "properties": {"migration": {"type": "string"}},
                    "required": ["migration"],
                },
            },
        )

    def call(self, path: str, document: dict[str, Any]) -> Any:
        answer = self.http.post(path, json=document)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def move(self, run: str, kind: str, name: str, **details: Any) -> None:
        state = {"type": kind, "name": name, "message": "moved", "state_details": details}
        self.call(f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def suspend(self, run: str) -> None:
        """What ``suspend_flow_run(wait_for_input=...)`` leaves on the server."""
        keys = {"schema": "d-schema", "response": "d-response", "description": "d-description"}
        self.call(f"/flow_runs/{run}/input", {"key": "d-schema", "value": json.dumps(SCHEMA)})
        self.move(run, "RUNNING", "Running")
        self.move(run, "PAUSED", "Suspended", run_input_keyset=keys, pause_reschedule=True)


@pytest.fixture
def server(prefect_api: PrefectServer) -> Server:
    return Server(prefect_api)


@pytest.fixture
def launcher(prefect_api: PrefectServer) -> PrefectLauncher:
    return PrefectLauncher(prefect_api.api_url, prefect_api.auth)


@pytest.mark.req("INV4")
def test_one_key_starts_one_run(server: Server, launcher: PrefectLauncher) -> None:
    """The server keeps a repeated start from making another run."""
    first = launcher.start(server.deployment, {"migration": "mood"}, "k1")
    assert launcher.start(server.deployment, {"migration": "mood"}, "k1") == first
    assert launcher.start(server.deployment, {"migration": "mood"}, "k2") != first
    assert launcher.state(first)[:2] == ("SCHEDULED", "Scheduled")


@pytest.mark.req("P6")
def test_suspended_run_waits_refuses_bad_input_and_resumes_once(
    server: Server, launcher: PrefectLauncher
) -> None:
    """The whole life of an approval's door, by the server's own rules."""
    run = launcher.start(server.deployment, {"migration": "mood"}, "k1")
    assert launcher.waiting(server.deployment) == []
    with pytest.raises(Refused, match="not paused"):
        launcher.resume(run, {"approver": "ada"})
    server.suspend(run)
    assert launcher.waiting(server.deployment) == [(run, {"migration": "mood"})]
    with pytest.raises(InputError, match="approver"):
        launcher.resume(run, {})
    assert launcher.state(run)[:2] == ("PAUSED", "Suspended")
    launcher.resume(run, {"approver": "ada"})
    assert launcher.state(run)[0] == "SCHEDULED"
    assert launcher.waiting(server.deployment) == []
    with pytest.raises(Refused):
        launcher.resume(run, {"approver": "ada"})


@pytest.mark.req("P5")
def test_wait_ends_with_the_run(server: Server, launcher: PrefectLauncher) -> None:
    """A run that ended gives its state and message at once."""
    run = launcher.start(server.deployment, {"migration": "mood"}, "k1")
    server.move(run, "CRASHED", "Crashed")
    assert launcher.wait(run, 30) == ("CRASHED", "Crashed", "moved")


@pytest.mark.req("P5")
def test_faults_are_told_in_words_that_help(
    server: Server, launcher: PrefectLauncher, prefect_api: PrefectServer
) -> None:
    """Unknown deployment or run, parameters that do not fit, a wrong credential."""
    with pytest.raises(InputError, match="prefect deploy --all"):
        launcher.start("nobody/knows", {}, "k")
    with pytest.raises(InputError, match="flow run"):
        launcher.state(str(uuid4()))
    with pytest.raises(InputError, match="flow run not-an-id"):
        launcher.state("not-an-id")
    with pytest.raises(InputError, match="migration"):
        launcher.start(server.deployment, {}, "k")
    with pytest.raises(InputError, match="PREFECT_API_AUTH_STRING"):
        PrefectLauncher(prefect_api.api_url, "ada:wrong").start(server.deployment, {}, "k")


@pytest.mark.req("O7")
def test_check_wants_the_server_its_credential_and_the_deployment(
    server: Server, launcher: PrefectLauncher, prefect_api: PrefectServer
) -> None:
    """What an approval needs to lead to a step; a server that is not there is named."""
    launcher.check(server.deployment)
    with pytest.raises(InputError, match="deploy"):
        launcher.check("nobody/nothing")
    with pytest.raises(InputError, match="PREFECT_API_AUTH_STRING"):
        PrefectLauncher(prefect_api.api_url, "admin:wrong").check(server.deployment)
    with pytest.raises(DependencyUnavailable, match="Prefect"):
        PrefectLauncher("http://127.0.0.1:9/api").check(server.deployment)

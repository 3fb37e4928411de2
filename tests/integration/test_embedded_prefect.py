"""The embedded Prefect server and its process worker run a deployed flow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from switchover.testing.embedded import PrefectServer, PrefectWorker
from switchover.testing.embedded.prefect import FLOW_RUN_COMMAND

FLOW = """
import os
from prefect import flow

@flow
def tell_place(file: str):
    with open(file, "w") as out:
        out.write(f"{os.environ['PLACE']} {os.nice(0)}")
"""
PROJECT = f"""
name: embedded
pull: []
deployments:
- name: here
  entrypoint: embedded_flow.tell_place
  work_pool:
    name: embedded
    job_variables: {{command: {FLOW_RUN_COMMAND}}}
"""


def call(server: PrefectServer, path: str, body: dict[str, Any] | None = None) -> Any:
    """One authorised call of the server's API."""
    token = b64encode(server.auth.encode()).decode()
    request = urllib.request.Request(
        f"{server.api_url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def final_state(server: PrefectServer, run: str, timeout: float = 120) -> str:
    """The type of the run's final state, once it has one."""
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    deadline = time.monotonic() + timeout
    state = ""
    while state not in final and time.monotonic() < deadline:
        state = call(server, f"/flow_runs/{run}")["state_type"]
        time.sleep(0.2)
    return state


def test_the_server_asks_for_its_credential(prefect_api: PrefectServer) -> None:
    """A call without the credential is refused, one with it is answered."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{prefect_api.api_url}/admin/version", timeout=30)
    assert call(prefect_api, "/admin/version") == "3.8.8"


def test_the_server_brings_its_user_interface(prefect_api: PrefectServer) -> None:
    """The address for people serves a page."""
    with urllib.request.urlopen(prefect_api.ui_url, timeout=30) as answer:
        assert b"<!DOCTYPE html>" in answer.read()


def test_a_killed_server_comes_back_at_the_same_address(prefect_api: PrefectServer) -> None:
    """After SIGKILL and a start, clients find the server and its state where they were."""
    before = prefect_api.api_url, prefect_api.auth
    flow = call(prefect_api, "/flows/", {"name": "kept"})["id"]
    prefect_api.process.kill()
    prefect_api.start()
    assert (prefect_api.api_url, prefect_api.auth) == before
    assert call(prefect_api, f"/flows/{flow}")["name"] == "kept"


def test_a_worker_runs_a_deployed_flow_with_its_environment(
    prefect_api: PrefectServer, tmp_path: Path
) -> None:
    """A flow deployed by module path completes, sees the worker's variables and is nice."""
    (tmp_path / "embedded_flow.py").write_text(FLOW)
    (tmp_path / "prefect.yaml").write_text(PROJECT)
    with PrefectWorker(
        prefect_api.env, pool="embedded", cwd=tmp_path, env={"PLACE": "moon"}, nice=3
    ) as worker:
        worker.wait()
        deployed = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
            cwd=tmp_path,
            env=worker.env,
            capture_output=True,
            text=True,
        )
        assert deployed.returncode == 0, deployed.stderr
        deployment = call(prefect_api, "/deployments/name/tell-place/here")["id"]
        file = tmp_path / "told"
        run = call(
            prefect_api,
            f"/deployments/{deployment}/create_flow_run",
            {"parameters": {"file": str(file)}, "state": {"type": "SCHEDULED"}},
        )
        assert final_state(prefect_api, run["id"]) == "COMPLETED", worker.process.last_words(30)
    assert file.read_text() == "moon 3"

"""A whole stack for the flows: Valkey, PostgreSQL, Prefect with a worker, two small services."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from switchover import Recorder
from switchover.engine.advance import Outcome, take_step
from switchover.engine.collect import collect
from switchover.engine.context import Case
from switchover.engine.start import start
from switchover.engine.work import record_work
from switchover.launcher.prefect_api import FINAL, RunState
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult
from switchover.testing.embedded.stack import Stack
from switchover.testing.stand_in import StandInServer
from switchover.wiring import build_context, build_ledger, load_settings, open_launcher
from tests.flows.resident import Resident

ROOT = Path(__file__).parents[2]
#: Seconds a flow run may take on a busy machine.
PATIENCE = 120.0
#: Seconds between two questions to Prefect: each costs its server as much as a look of the worker.
EVERY = 0.3
ADAPTER = "def to_v1(answer):\n    return {'score': answer['score']}\n"
CONTRACT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score"],
    "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}},
}


class Service:
    """A small HTTP service that counts its calls; ``well`` and ``open`` make it sick or slow."""

    def __init__(self, name: str) -> None:
        self.name, self.well, self.calls = name, True, 0
        self.open = threading.Event()
        self.open.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.calls += 1
                service.open.wait(PATIENCE)
                body = json.dumps({"name": service.name, "calls": service.calls}).encode()
                self.send_response(200 if service.well else 500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output for the test."""

        self._server = StandInServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Let waiting calls go and stop."""
        self.open.set()
        self._server.shutdown()
        self._server.server_close()


class Land:
    """The stack, the services, and the files that plans name; one for all tests."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.stopped = directory, False
        self.incidents = directory / "incidents"
        self.database = directory / "answers.sqlite"
        (directory / "flow_adapters.py").write_text(ADAPTER)
        (directory / "v1.schema.json").write_text(json.dumps(CONTRACT))
        answers = [{"score": i / 40, "detail": {"source": "new"}} for i in range(40)]
        (directory / "answers.jsonl").write_text("".join(json.dumps(a) + "\n" for a in answers))
        self.write_answers([0.1, 0.5, 0.9])
        self.legacy, self.candidate = Service("legacy"), Service("candidate")
        environment = {
            "SWITCHOVER_INCIDENTS_DIR": str(self.incidents),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(directory)]),
        }
        self.stack = Stack(directory / "stack", ROOT, worker_env=environment, limit=3).start()
        self.env = {**os.environ, **self.stack.env, **environment}
        self.resident = Resident(self.env, directory / "resident.log")
        settings = load_settings(self.env)
        self.context, self.ledger = build_context(settings), build_ledger(settings)
        self.launcher = open_launcher(settings)
        self.registered = self.deployments()
        self._pause_schedules()

    def stop(self) -> None:
        """Stop everything, once."""
        if self.stopped:
            return
        self.stopped = True
        self.launcher.close()
        self.resident.stop()
        self.stack.stop()
        self.legacy.stop()
        self.candidate.stop()

    def write_answers(self, scores: list[float]) -> None:
        """Fill the table that the data check reads."""
        with sqlite3.connect(self.database) as connection:
            connection.execute("DROP TABLE IF EXISTS answers")
            connection.execute("CREATE TABLE answers (id INTEGER PRIMARY KEY, score REAL)")
            connection.executemany("INSERT INTO answers (score) VALUES (?)", [(s,) for s in scores])
        connection.close()

    def call(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """One call of Prefect's API."""
        server = self.stack.server
        assert server is not None
        user, _, password = server.auth.partition(":")
        answer = httpx.request(
            method, server.api_url + path, json=body, auth=(user, password), timeout=30
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployments(self) -> dict[str, Any]:
        """All deployments as ``flow/deployment`` -> document."""
        flows = {flow["id"]: flow["name"] for flow in self.call("/flows/filter", {})}
        found = self.call("/deployments/filter", {})
        return {f"{flows[each['flow_id']]}/{each['name']}": each for each in found}

    def _pause_schedules(self) -> None:
        """The tests run flows when they want to; what the schedules were is in `registered`."""
        for deployment in self.registered.values():
            for schedule in deployment["schedules"]:
                address = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
                self.call(address, {"active": False}, "PATCH")


class Journey:
    """One migration under way, moved by flow runs or, to get somewhere fast, by use cases."""

    def __init__(self, land: Land, migration: str) -> None:
        self.land, self.migration = land, migration
        self.context, self.launcher = land.context, land.launcher
        self._keys = count()

    def start(self, **changes: Any) -> Case:
        """Accept the plan as carl, who is no approver."""
        document = {**self._plan(), **changes}
        loaded = LoadedPlan(
            plan=restore_plan(document), directory=self.land.directory, files=(), source="",
            digest=digest(document), document=document,
        )  # fmt: skip
        return start(self.context, loaded, actor="carl")

    def _plan(self) -> dict[str, Any]:
        land = self.land
        return {
            "switchover": 1,
            "migration": self.migration,
            "title": f"Scores, the {self.migration} way",
            "systems": {
                "legacy": {"version": "1", "url": land.legacy.url, "health": "/health"},
                "candidate": {"version": "2", "url": land.candidate.url, "health": "/health"},
            },
            "request_key": {"field": "id"},
            "checks": [
                {"name": "legacy is healthy", "kind": "health", "system": "legacy"},
                {"name": "candidate is healthy", "kind": "health", "system": "candidate"},
            ],
            "stages": [
                {"kind": "checks"},
                {"kind": "shadow", "bake": "1s"},
                {"kind": "canary", "percent": 25, "bake": "1s"},
                {"kind": "canary", "percent": 100, "bake": "1s"},
            ],
            "gates": [
                {"name": "agreement", "metric": "prediction_agreement_rate", "at_least": "85%"},
                {"name": "success", "metric": "success_rate", "at_least": "90%"},
            ],
            "judgement": {"look_every": "500ms", "no_data_after": "10m"},
            "agreement": {"fields": [{"path": "score", "compare": "number", "absolute": 0.05}]},
            "approvals": {"approvers": ["ada", "bo"], "expires": "1h"},
            "rollback": {"flags": ["new-scores"]},
        }

    @property
    def case(self) -> Case:
        """The migration now."""
        return self.context.open(self.migration)

    def entries(self, kind: str) -> list[Any]:
        """The ledger's entries of a kind."""
        return [e for e in self.context.ledger.entries(self.migration) if e.kind == kind]

    def until_written(self, kind: str) -> list[Any]:
        """Wait until the ledger has entries of a kind; gives them."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.entries(kind)):
            assert time.monotonic() < deadline, f"nothing of kind {kind} was written"
            time.sleep(0.1)
        return found

    def evidence(self, n: int = 600, bad: float = 0.0, disagree: float = 0.0) -> None:
        """Let a real recorder count ``n`` requests and ship them; waits for the stage's end."""
        snapshot = self.context.routing.read(self.migration)
        assert snapshot is not None
        url = self.land.env["SWITCHOVER_REDIS_URL"]
        recorder = Recorder(self.migration, url, epoch=lambda: snapshot.epoch,
                            agreement=snapshot.agreement)  # fmt: skip
        for i in range(n):
            recorder.record("success_rate", i % 1000 >= bad * 1000, system="candidate")
            recorder.record("success_rate", True, system="legacy")
            other = 0.9 if i % 1000 < disagree * 1000 else 0.5
            recorder.compare({"score": 0.5}, {"score": other})
        assert recorder.close()
        time.sleep(max(0.0, self.case.state.not_before - time.time()))

    def step(self) -> Outcome:
        """One step without Prefect, after what the stage asks for."""
        if self.case.stage.kind == "checks":
            fine = [CheckResult("by hand", True, "fine", 0.0)]
            record_work(self.context, self.migration, "checks", fine, actor="test")
        else:
            self.evidence()
        return self.look()

    def look(self) -> Outcome:
        """What is due with the evidence that came, without Prefect."""
        collect(self.context, self.migration)
        return take_step(self.context, self.migration, actor="test")

    def launch(self, deployment: str, **parameters: Any) -> str:
        """Start a flow run; gives its id."""
        if deployment != "monitor/monitor":
            parameters = {"migration": self.migration, **parameters}
        key = f"{self.migration}:{next(self._keys)}"
        return self.launcher.start(deployment, parameters, key)

    def run(self, deployment: str, **parameters: Any) -> RunState:
        """Start a flow run and wait for its end."""
        return self.launcher.wait(self.launch(deployment, **parameters), PATIENCE, interval=EVERY)

    def here(self, flow: str, **parameters: Any) -> RunState:
        """Run a flow without a worker; gives its end."""
        if flow != "monitor":
            parameters = {"migration": self.migration, **parameters}
        return self.land.resident.run(flow, **parameters)

    def advance(self) -> str:
        """A run of ``advance``, without a worker, that has to complete; gives its message."""
        kind, name, message = self.here("advance", actor="test")
        assert kind == "COMPLETED", f"{name}: {message}"
        return message

    def suspended(self) -> str:
        """Wait until the run of the open approval is suspended; gives its id."""
        approval = self.case.state.approval
        assert approval is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for run, parameters in self.launcher.waiting("approve/approve"):
                if parameters.get("approval") == approval.id:
                    return run
            time.sleep(EVERY)
        raise AssertionError(f"no approve run waits for {approval.id}")

    def ask(self) -> str:
        """Step to an approval by hand and let Prefect start its run; gives the suspended run."""
        from switchover.engine.drain import drain

        assert self.step().action == "ask"
        assert drain(self.context).failed == ()
        return self.suspended()

    def ended(self, run: str) -> RunState:
        """Wait for a run's end."""
        return self.launcher.wait(run, PATIENCE, interval=EVERY)

    def until(self, run: str, names: set[str]) -> None:
        """Wait until the run's state has one of the names."""
        deadline = time.monotonic() + PATIENCE
        while (state := self.launcher.state(run))[1] not in names:
            assert state[0] not in FINAL, state
            assert time.monotonic() < deadline, state
            time.sleep(EVERY)

    def asked(self, question: Callable[[], Any], what: str) -> Any:
        """The first answer that is not empty, of a question that Prefect answers in time."""
        deadline = time.monotonic() + PATIENCE
        while not (answer := question()):
            assert time.monotonic() < deadline, f"there was no {what}"
            time.sleep(EVERY)
        return answer

    def artifacts(self) -> dict[str, Any]:
        """The newest artifact of each kind of this migration, by the end of its key."""
        body = {"artifacts": {"key": {"like_": f"{self.migration}-%"}}}
        found = self.land.call("/artifacts/latest/filter", body)
        return {each["key"].removeprefix(f"{self.migration}-"): each for each in found}


_LANDS: list[Land] = []


@pytest.fixture(scope="session")
def land(tmp_path_factory: pytest.TempPathFactory) -> Land:
    """The stack with all flows deployed, and the services; about 25 s to start."""
    _LANDS.append(Land(tmp_path_factory.mktemp("flows")))
    return _LANDS[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Stop the stack after the last of these tests: an idle Prefect server and its worker cost a
    quarter of a core for as long as all other tests take."""
    yield
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        for land in _LANDS:
            land.stop()


@pytest.fixture
def journey(land: Land, request: pytest.FixtureRequest) -> Journey:
    """A migration of its own for a test; not started yet."""
    land.write_answers([0.1, 0.5, 0.9])
    land.legacy.well = land.candidate.well = True
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    return Journey(land, name)

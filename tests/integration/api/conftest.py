"""The API over real HTTP: uvicorn on loopback, on a real Valkey and a real database."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from switchover import Recorder
from switchover.api.serve import assemble
from switchover.engine.advance import take_step
from switchover.engine.collect import collect
from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.engine.start import start
from switchover.engine.work import record_work
from switchover.ledger import upgrade
from switchover.plan.load import load_plan
from switchover.ports import CheckResult
from switchover.testing.slack import SlackServer
from switchover.wiring import Settings, build_context, load_settings
from tests.faults.prefect_stand_in import PrefectStandIn
from tests.integration.demo_plan import ASKING

PLAN = (
    ASKING
    + """\
gates:
  - {name: success, metric: success_rate, at_least: 90%}
approvals: {approvers: [ada, bo, carl], min_approvers: 1, identity: code}
notify: {slack_channel: "#mood-migration"}
"""
)


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve ``app`` in a thread, on a port of its own; gives the URL."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            assert time.monotonic() < deadline, "the API did not start in time"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@dataclass
class World:
    """The migration demo, started by carl, behind the API; a code for each approver."""

    settings: Settings
    context: Context
    url: str
    slack: SlackServer
    prefect: PrefectStandIn
    codes: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, who: str = "", **options: Any) -> httpx.Response:
        """Ask as ``who``."""
        if who:
            options["auth"] = (who.encode(), self.codes[who].encode())
        return httpx.request(method, self.url + path, timeout=30, **options)

    def to_canary(self) -> None:
        """Walk to 10 %, with good evidence of a real recorder."""
        record_work(self.context, "demo", "checks", [CheckResult("up", True, "x", 0.1)], actor="t")
        assert take_step(self.context, "demo", actor="t").action == "enter"
        with Recorder("demo", self.settings.redis_url) as recorder:
            for _ in range(2000):
                recorder.record("success_rate", True, system="candidate")

    def ask(self) -> str:
        """Walk on to the request for approval; gives its id."""
        self.to_canary()
        collect(self.context, "demo")
        assert take_step(self.context, "demo", actor="t").action == "ask"
        return self.approval.id

    @property
    def approval(self) -> Any:
        """The request as the ledger has it."""
        approval = self.context.open("demo").state.approval
        assert approval is not None
        return approval

    def decide(self, who: str, decision: str, reason: str = "because") -> httpx.Response:
        """POST a decision on the open request."""
        path = f"/api/migrations/demo/approvals/{self.approval.id}/decision"
        return self.call("POST", path, who, json={"decision": decision, "reason": reason})

    def message(self) -> dict[str, Any]:
        """The message that asks for the approval, after its effects were performed."""
        drain(self.context)
        (message,) = [m for m in self.slack.messages if "approval wanted" in m["text"]]
        return message

    def click(self, action: str, user: str, reason: str = "") -> httpx.Response:
        """Click a button of that message."""
        click = self.slack.click(self.url + "/slack/interactions", self.message(), action, user,
                                 reason)  # fmt: skip
        return httpx.post(click.url, content=click.body, headers=click.headers, timeout=30)

    def answers(self, count: int = 1) -> list[str]:
        """What people who clicked were told, once so many of them were."""
        deadline = time.monotonic() + 20
        while len(self.slack.answers) < count:
            assert time.monotonic() < deadline, "nobody was told anything"
            time.sleep(0.01)
        return [answer["text"] for answer in self.slack.answers]

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Until ``holds``: what follows an answer is done after it."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, "it did not come to hold"
            time.sleep(0.02)


@contextmanager
def world_on(database: str, redis_url: str, place: Path, **environment: str) -> Iterator[World]:
    """The API and its migration on these servers."""
    file = place / "plan.yaml"
    file.write_text(environment.pop("plan", PLAN), encoding="utf-8")
    with SlackServer() as slack, PrefectStandIn() as prefect:
        settings = load_settings({
            "PATH": os.environ["PATH"],
            "SWITCHOVER_STATE_DIR": str(place / "state"),
            "SWITCHOVER_INCIDENTS_DIR": str(place / "incidents"),
            "SWITCHOVER_DATABASE_URL": database,
            "SWITCHOVER_REDIS_URL": redis_url,
            "SWITCHOVER_SLACK_TOKEN": slack.token,
            "SWITCHOVER_SLACK_API_URL": slack.base_url,
            "SWITCHOVER_SLACK_SIGNING_SECRET": slack.signing_secret,
            "PREFECT_API_URL": prefect.api_url,
            **environment,
        })  # fmt: skip
        context = build_context(settings)
        upgrade(database)
        start(context, load_plan(file), actor="carl")
        assert context.approvers is not None
        codes = {name: context.approvers.issue(name, user) for name, user in
                 {"ada": "U0ADA", "bo": "U0BO", "carl": "U0CARL", "eve": ""}.items()}  # fmt: skip
        with listening(assemble(settings)) as url:
            yield World(settings, context, url, slack, prefect, codes)


@pytest.fixture
def world(sqlite_url: str, fresh_redis_url: str, tmp_path: Path) -> Iterator[World]:
    """On SQLite."""
    with world_on(sqlite_url, fresh_redis_url, tmp_path) as made:
        yield made

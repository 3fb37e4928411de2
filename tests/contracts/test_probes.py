"""What every probe runner promises, on the one in memory and on the one that asks systems."""

from __future__ import annotations

import json

import httpx
import pytest

from switchover.checks.probe import SystemProbes
from switchover.plan.load import restore_plan
from switchover.plan.probes import HttpProbe
from switchover.ports import ProbeRunner
from switchover.testing.probes import ScriptedProbes

pytestmark = pytest.mark.req("R4")

PLAN = restore_plan(
    {"switchover": 1, "migration": "demo", "title": "Demo",
     "systems": {"legacy": {"version": "1", "url": "http://legacy.test"},
                 "candidate": {"version": "2", "url": "http://candidate.test"}},
     "request_key": {"field": "id"}, "gates": [{"metric": "success_rate"}]}
)  # fmt: skip


def answer(request: httpx.Request) -> httpx.Response:
    status = 200 if request.url.path == "/good" else 503
    return httpx.Response(status, stream=httpx.ByteStream(b"{}"))


@pytest.fixture(params=["memory", "systems"])
def runner(request: pytest.FixtureRequest) -> ProbeRunner:
    """A runner for which ``good`` passes and ``bad`` does not."""
    if request.param == "memory":
        return ScriptedProbes({"bad": False})
    return SystemProbes(lambda *_: (), {}, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(("name", "ok"), [("good", True), ("bad", False)])
def test_a_probe_answers_under_its_name_and_the_ledger_can_keep_it(
    runner: ProbeRunner, name: str, ok: bool
) -> None:
    """A wrong answer is a result, with words."""
    probe = HttpProbe(kind="http", name=name, path=f"/{name}")
    found = runner.run(probe, PLAN, ".", since=1.0)
    assert (found.name, found.ok) == (name, ok)
    assert found.summary
    assert found.seconds >= 0
    assert json.loads(json.dumps(found.to_dict()))["ok"] is ok


def test_asking_again_is_possible(runner: ProbeRunner) -> None:
    """A probe changes nothing, so that it may be asked until it passes."""
    probe = HttpProbe(kind="http", name="good", path="/good")
    assert [runner.run(probe, PLAN, ".").ok for _ in range(3)] == [True] * 3

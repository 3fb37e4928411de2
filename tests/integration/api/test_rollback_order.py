"""How much goes back by HTTP: the levels and the dry run of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from switchover.api.app import build_app
from switchover.engine import step_action
from switchover.engine.rollback_preview import preview
from switchover.engine.start import start
from tests.integration.api.conftest import listening
from tests.unit.engine.conftest import World
from tests.unit.engine.steps_world import Steps, step

SECRET = "https://ops:hunter2@ops.example/x"


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    """A migration at its first canary, with a group and steps at every level."""
    steps = Steps(World(tmp_path))
    other = steps.world.plan(migration="other", title="Other", group={"name": "shop"})
    start(steps.world.context, other, actor="carl")
    steps.start(
        {"component": {"panel": [step("a")]}, "service": [step("s", action={
            "kind": "command", "argv": ["s", SECRET]})], "system": [step("c")]},
        group={"name": "shop"},
    )  # fmt: skip
    return steps


@dataclass
class Api:
    """The API as ada calls it."""

    url: str
    auth: tuple[str, str]

    def order(self, **body: Any) -> httpx.Response:
        """Order a rollback."""
        document = {"reason": "bad", **body}
        path = f"{self.url}/api/migrations/demo/rollback"
        return httpx.post(path, json=document, auth=self.auth, timeout=30)

    def status(self) -> Any:
        """The migration with its evidence."""
        return httpx.get(f"{self.url}/api/migrations/demo", auth=self.auth, timeout=30).json()


@pytest.fixture
def api(steps: Steps) -> Iterator[Api]:
    """The API over the engine in memory."""
    code = steps.world.approvers.issue("ada")
    with listening(build_app(steps.world.context, {}, allow_commands=frozenset("as"))) as url:
        yield Api(url, ("ada", code))


@pytest.mark.req("R2", "K1")
def test_a_component_goes_back_by_api(api: Api, steps: Steps) -> None:
    """Its flags go off under the name of who asked; who serves stays, and the status shows it."""
    answer = api.order(level="component", component="panel")
    assert (answer.status_code, answer.json()["level"]) == (200, "component")
    state = steps.world.case.state
    assert (state.phase.value, state.split, state.incident) == (
        "held", 1000, answer.json()["incident"],
    )  # fmt: skip
    entry = next(e for e in steps.world.ledger.entries("demo") if e.kind == "component_rolled_back")
    assert (entry.payload["actor"], entry.payload["trigger"]) == ("ada", "person")
    shown = api.status()["rollback"]
    assert (shown["component"], shown["steps"][0]["state"]) == ("panel", "waits")


@pytest.mark.req("R2", "K1")
def test_the_system_goes_back_by_api(api: Api, steps: Steps) -> None:
    """The group's other migrations are on legacy when the answer comes."""
    document = api.order(level="system").json()
    assert (document["group"]["ok"], document["group"]["detail"]["turned"]) == (True, ["other"])
    assert steps.world.routing.read("other").mode == "emergency_rollback"


@pytest.mark.req("R2", "K1")
def test_a_system_that_is_left_behind_is_told_as_by_the_command_line(
    api: Api, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the traffic of the one is on legacy, and the answer is no success."""
    monkeypatch.setattr(step_action, "_turned", lambda case, name, actor: f"{name} is stuck")
    answer = api.order(level="system")
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("demo is on legacy, but not the whole system")
    assert steps.world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("R2", "K1")
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"level": "component"}, 400, "level component and the name of a component belong"),
        ({"component": "panel"}, 400, "level component and the name of a component belong"),
        ({"level": "component", "component": "x"}, 400, "its components: core, panel"),
        ({"level": "half"}, 422, "body.level"),
        ({"dry_run": True, "level": "component", "component": "x"}, 400, "core, panel"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_does_nothing(
    api: Api, steps: Steps, body: dict[str, Any], status: int, said: str
) -> None:
    """By the rules of the command line, and with its words."""
    before = steps.kinds()
    answer = api.order(**body)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert (steps.kinds(), steps.world.routing.halted("demo")) == (before, None)


@pytest.mark.req("R2", "K1")
@pytest.mark.parametrize("level", ["component", "service", "system"])
def test_a_dry_run_by_api_is_that_of_the_command_line(api: Api, steps: Steps, level: str) -> None:
    """The same document, without secrets, and nothing is done."""
    before, component = steps.kinds(), "panel" if level == "component" else ""
    answer = api.order(level=level, component=component, dry_run=True)
    assert answer.status_code == 200
    document = answer.json()
    told = preview(
        steps.world.context, "demo", level, component, allowed=frozenset("as")
    ).to_dict()  # fmt: skip
    assert [each["name"] for each in document["steps"]] == [each["name"] for each in told["steps"]]
    assert document["traffic"] == list(told["traffic"])
    assert document["warnings"] == list(told["warnings"])
    assert "hunter2" not in answer.text
    assert (steps.kinds(), steps.world.routing.halted("demo")) == (before, None)


@pytest.mark.req("R1", "K1")
def test_an_order_without_a_level_is_for_all_traffic(api: Api, steps: Steps) -> None:
    """As Slack's button is, and as before there were levels; no secret of a step is shown."""
    answer = api.order()
    assert (answer.status_code, answer.json()["level"], answer.json()["group"]) == (
        200, "service", None,
    )  # fmt: skip
    assert steps.world.routing.read("demo").mode == "emergency_rollback"
    shown = api.status()["rollback"]
    assert [row["step"] for row in shown["steps"]] == ["s"]
    assert "hunter2" not in str(shown)

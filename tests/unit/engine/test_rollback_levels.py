"""Levels of a rollback: one component, the service, the system, and how one leads to the next."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine import step_action
from switchover.engine.approve import decide_approval
from switchover.engine.drain import drain
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.roll_back_levels import roll_back_system
from switchover.engine.rollback_steps import take
from switchover.engine.start import start
from switchover.errors import DependencyUnavailable, InputError, PointOfNoReturn, Refused
from tests.unit.engine.steps_world import Steps, step


@pytest.fixture
def steps(world: Any) -> Steps:
    """A world whose actions and probes are the test's."""
    return Steps(world)


@pytest.mark.req("R2")
def test_a_failed_step_escalates_to_the_system_and_its_group(steps: Steps) -> None:
    """The rest of the level is left; the group's other migrations turn, then its steps run."""
    steps.actions.answers["a"] = lambda: False
    other = steps.world.plan(migration="other", title="Other", group={"name": "shop"})
    start(steps.world.context, other, actor="carl")
    steps.start({"service": [step("a"), step("b")], "system": [step("c")]}, group={"name": "shop"})
    outcome = steps.go(steps.back())
    assert steps.actions.names == ["a", "c"]
    assert steps.world.routing.read("other").mode == "emergency_rollback"
    assert steps.world.context.open("other").state.reason.startswith("demo went back")
    assert steps.ended() == [("a", "failed"), ("group", "done"), ("c", "done")]
    assert (outcome.level, outcome.frozen) == ("system", "")


@pytest.mark.req("R2")
def test_a_failure_at_the_last_level_stops_and_pages(steps: Steps) -> None:
    """There is nowhere to go on to: nothing further begins, and the channel is told once."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a"), step("b")]}, notify={"slack_channel": "#x"})
    incident = steps.back()
    for _ in range(2):
        assert "there is no further level" in steps.go(incident).frozen
    assert steps.actions.names == ["a"]
    drain(steps.world.context)
    (told,) = [effect for effect in steps.world.effects if ":frozen:" in effect.key]
    assert "people are needed" in told.payload["text"]


@pytest.mark.req("R2")
def test_after_a_step_that_nothing_takes_back_a_failure_freezes(steps: Steps) -> None:
    """The step's own point of no return: a later failure escalates no more."""
    steps.actions.answers["b"] = lambda: False
    steps.start({"service": [step("a", no_return=True), step("b")], "system": [step("c")]})
    assert "nothing takes step a back" in steps.go(steps.back()).frozen
    assert steps.actions.names == ["a", "b"]


@pytest.mark.req("R2")
def test_past_the_point_of_no_return_a_failure_freezes(steps: Steps) -> None:
    """The migration's own: somebody insisted on the rollback, nobody on more."""
    steps.actions.answers["a"] = lambda: False
    stages = [
        {"kind": "checks"},
        {"kind": "shadow", "bake": "1h"},
        {"kind": "canary", "percent": 10, "bake": "1h", "approval": True,
         "reversibility": "point_of_no_return"},
        {"kind": "canary", "percent": 100, "bake": "1h"},
    ]  # fmt: skip
    world = steps.world
    world.start(stages=stages, rollback={"levels": {"service": [step("a")], "system": [step("c")]}})
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    world.step()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    world.step()
    assert world.case.state.no_return
    with pytest.raises(PointOfNoReturn):
        steps.back()
    incident = roll_back(
        world.context, "demo", actor="bo", trigger="person", reason="x", insist=True
    ).incident
    assert "the point of no return is passed" in steps.go(incident).frozen
    assert steps.actions.names == ["a"]


@pytest.mark.req("R2")
def test_a_component_goes_back_alone_and_the_migration_is_held(steps: Steps) -> None:
    """Its flags go off, the others and the split stay, its steps run, and nothing promotes."""
    steps.start({"component": {"panel": [step("a")]}, "service": [step("s")]})
    incident = steps.component()
    state = steps.world.case.state
    assert (state.phase.value, state.split, state.incident) == ("held", 1000, incident)
    assert state.flags["panel"]["enabled"] is False
    assert state.flags["core"].get("enabled", True) is True
    document = steps.world.routing.read("demo")
    assert (document.split, document.flags["panel"]["enabled"]) == (1000, False)
    assert steps.go(incident).frozen == ""
    assert steps.actions.names == ["a"]
    assert steps.component() == incident, "asking again gives the same incident"
    assert steps.world.step().action == "wait"
    assert reconcile(steps.world.context, "demo") == []


@pytest.mark.req("R2", "R7")
def test_a_component_rollback_is_no_rehearsal(steps: Steps) -> None:
    """It proves nothing about turning the traffic, so it counts as no drill."""
    steps.start({})
    steps.world.routing.acknowledge("demo", "r", 10**6, 0.0)
    steps.component()
    assert "rollback_measured" in steps.kinds()
    assert steps.world.case.state.drilled == 0.0


@pytest.mark.req("R2")
def test_a_component_whose_step_fails_takes_the_service_with_it(steps: Steps) -> None:
    """All traffic turns, under an incident of its own whose steps are those of the service."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"component": {"panel": [step("a")]}, "service": [step("s")]})
    first = steps.component()
    assert steps.go(first).over
    state = steps.world.case.state
    assert (state.phase.value, state.split) == ("rolled_back", 0)
    assert state.incident != first
    assert "step a" in state.reason
    assert steps.go(state.incident).frozen == ""
    assert steps.actions.names == ["a", "s"]
    assert steps.go(first).over, "what is over stays over"


@pytest.mark.req("R2")
def test_a_failure_goes_from_the_component_to_the_service_to_the_system(steps: Steps) -> None:
    """Each level fails and leads to the next; the last one stops, and the incident is critical."""
    steps.actions.answers = dict.fromkeys("asc", lambda: False)
    steps.start(
        {"component": {"panel": [step("a")]}, "service": [step("s")], "system": [step("c")]}
    )
    first = steps.component()
    steps.go(first)
    second = steps.world.case.state.incident
    assert "there is no further level" in steps.go(second).frozen
    assert steps.actions.names == ["a", "s", "c"]
    levels = [e.payload["level"] for e in steps.world.ledger.entries("demo")
              if e.kind == "rollback_escalated"]  # fmt: skip
    assert levels == ["service", "system"]
    critical = {each.id: each.critical for each in steps.world.case.state.inquiries}
    assert critical[second]
    assert steps.world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("R2")
def test_unknown_components_and_ended_migrations_are_refused(steps: Steps) -> None:
    """A misspelt name says which there are; nothing is written."""
    steps.start({"component": {"extra": [step("a")]}})
    before = steps.world.case.state.revision
    with pytest.raises(InputError, match="core, extra, panel"):
        steps.component("pannel")
    assert steps.world.case.state.revision == before
    steps.back()
    with pytest.raises(Refused, match="on legacy with everything already"):
        steps.component()


@pytest.mark.req("R2", "R8")
def test_a_component_needs_the_database_and_says_what_does_not(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the command that works with Redis alone."""
    steps.start({})

    def down(*args: Any, **words: Any) -> Any:
        raise DependencyUnavailable("database", "connection refused")

    monkeypatch.setattr(steps.world.ledger, "read", down)
    with pytest.raises(DependencyUnavailable, match="`switchover rollback demo`"):
        steps.component()


@pytest.mark.req("R2")
def test_the_system_level_turns_the_group_at_once_and_then_takes_both_levels(steps: Steps) -> None:
    """All migrations turn before the first step; those of the service run before the system's."""
    other = steps.world.plan(migration="other", title="Other", group={"name": "shop"})
    start(steps.world.context, other, actor="carl")
    steps.start({"service": [step("a")], "system": [step("c")]}, group={"name": "shop"})
    outcome, group = roll_back_system(steps.world.context, "demo", actor="bo", reason="all of it")
    assert group.ok
    assert group.detail["turned"] == ["other"]
    assert {steps.world.routing.read(name).mode for name in ("demo", "other")} == {
        "emergency_rollback"
    }
    assert steps.actions.names == []
    assert steps.go(outcome.incident).frozen == ""
    assert steps.actions.names == ["a", "c"]


@pytest.mark.req("R2")
def test_nothing_begins_once_another_rollback_has(steps: Steps) -> None:
    """A component's steps are left when the whole went back meanwhile."""
    steps.start({"component": {"panel": [step("a")]}})
    incident = steps.component()
    steps.back()
    take(steps.world.context, "demo", incident, "component", "a", actor="t")
    assert steps.go(incident).over
    assert steps.actions.names == []


@pytest.mark.req("R2")
def test_a_group_member_that_can_not_go_back_stops_the_system_level(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hides no other, its reason is on record, and people are asked before the steps."""
    for name in ("other", "third"):
        plan = steps.world.plan(migration=name, title=name, group={"name": "shop"})
        start(steps.world.context, plan, actor="carl")

    def passed(context: Any, migration: str, **words: Any) -> Any:
        if migration == "other":
            raise PointOfNoReturn(migration)
        return roll_back(context, migration, **words)

    monkeypatch.setattr(step_action, "roll_back", passed)
    steps.start({"system": [step("c")]}, group={"name": "shop"})
    outcome, group = roll_back_system(steps.world.context, "demo", actor="bo", reason="all")
    assert (group.ok, group.detail["turned"]) == (False, ["third"])
    assert "other is past its point of no return" in steps.go(outcome.incident).frozen
    assert steps.actions.names == []

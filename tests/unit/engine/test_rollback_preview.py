"""The dry run of a rollback: what it says is what then happens, and is on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from switchover.engine.roll_back_levels import roll_back_level
from switchover.engine.rollback_preview import Preview, preview
from switchover.engine.rollback_steps import GRACE
from switchover.engine.start import start
from tests.unit.engine.steps_world import Steps, step


@pytest.fixture
def steps(world: Any) -> Steps:
    """A world whose actions and probes are the test's."""
    return Steps(world)


@dataclass(frozen=True)
class Begun:
    """A step that began, as the ledger has it."""

    level: str
    name: str
    limit: float


def begun(steps: Steps, migration: str = "demo") -> list[Begun]:
    """Every step that began, in order."""
    return [
        Begun(e.payload["level"], e.payload["step"], e.payload["until"] - e.payload["at"] - GRACE)
        for e in steps.world.ledger.entries(migration)
        if e.kind == "rollback_step_begun"
    ]


def dry(steps: Steps, level: str = "service", component: str = "") -> Preview:
    """What would happen; nothing is written by asking."""
    before = steps.kinds()
    found = preview(steps.world.context, "demo", level, component)
    assert steps.kinds() == before
    return found


def back(steps: Steps, level: str = "service", component: str = "") -> str:
    """Roll back for real, and take every step; gives the incident it ended with."""
    outcome, _ = roll_back_level(
        steps.world.context, "demo", level, component, actor="bo", reason="bad"
    )
    steps.go(outcome.incident)
    if steps.world.case.state.incident != outcome.incident:
        steps.go(steps.world.case.state.incident)
    return outcome.incident


BY_METHOD = {
    "flag": {"name": "s", "method": "flag", "action": {"kind": "flags_off", "flags": ["panel"]}},
    "code": step("s"),
    "configuration": step("s", method="configuration"),
    "database": step(
        "s", method="database", limit="20m", reverse={"kind": "command", "argv": ["r"]}
    ),
}


@pytest.mark.req("R2")
@pytest.mark.parametrize("method", BY_METHOD)
@pytest.mark.parametrize("level", ["component", "service", "system"])
def test_what_a_dry_run_lists_is_what_is_then_recorded(
    steps: Steps, method: str, level: str
) -> None:
    """For each method at each level: the same steps in the same order, with the same limits; the
    default is 30 s, 5 min and 10 min by level."""
    one, two = BY_METHOD[method], step("after")
    steps.start({level: {"panel": [one, two]} if level == "component" else [one, two]})
    component = "panel" if level == "component" else ""
    told = dry(steps, level, component)
    back(steps, level, component)
    listed = [Begun(each.level, each.name, each.limit) for each in told.steps]
    assert begun(steps) == listed
    default = {"component": 30.0, "service": 300.0, "system": 600.0}[level]
    first = 1200.0 if method == "database" else default
    assert listed == [Begun(level, "s", first), Begun(level, "after", default)]
    assert {name for name, outcome in steps.ended() if outcome == "done"} == {"s", "after"}
    assert [each.method for each in told.steps] == [method, "code"]


@pytest.mark.req("R2")
def test_the_dry_run_of_a_system_has_the_groups_steps_and_what_runs_side_by_side(
    steps: Steps,
) -> None:
    """All traffic first; of each wave the steps begin together, in the order of the plan."""
    other = steps.world.plan(migration="other", title="Other", group={"name": "shop"},
                             rollback={"levels": {"service": [step("o")]}})  # fmt: skip
    start(steps.world.context, other, actor="carl")
    steps.start(
        {"service": [step("a"), step("b", after=[]), step("c", after=["a", "b"])],
         "system": [step("d")]},
        group={"name": "shop"},
    )  # fmt: skip
    told = dry(steps, "system")
    assert [(e.migration, e.level, e.wave, e.name) for e in told.steps] == [
        ("demo", "service", 1, "a"), ("demo", "service", 1, "b"), ("demo", "service", 2, "c"),
        ("other", "service", 1, "o"), ("demo", "system", 1, "group"), ("demo", "system", 2, "d"),
    ]  # fmt: skip
    assert [line.split(" to legacy")[0] for line in told.traffic if "legacy" in line] == [
        "send all traffic of demo", "send all traffic of other"
    ]  # fmt: skip
    back(steps, "system")
    mine = [each for each in told.steps if each.migration == "demo"]
    assert sorted(each.name for each in begun(steps)[:2]) == ["a", "b"]
    assert [each.name for each in begun(steps)[2:]] == ["c", "group", "d"]
    assert {(each.level, each.name, each.limit) for each in begun(steps)} == {
        (each.level, each.name, each.limit) for each in mine
    }


FAILURES = [
    # level asked, its steps, further levels, what the dry run says of step a, then on record
    ("service", {}, {"system": [step("x")]}, "goes on at level system: x", "escalated"),
    ("service", {}, {}, "stops the steps and pages people: there is no further level", "frozen"),
    ("service", {"on_failure": "freeze"}, {"system": [step("x")]},
     "stops the steps and pages people", "frozen"),
    ("service", {"on_failure": "continue"}, {"system": [step("x")]}, "stops nothing", "goes on"),
    ("service", {"no_return": True}, {"system": [step("x")]},
     "stops the steps and pages people: nothing takes step a back, which began", "frozen"),
    ("system", {}, {"service": [step("s")]},
     "stops the steps and pages people: there is no further level", "frozen"),
    ("component", {}, {"service": [step("s")]},
     "sends all traffic of demo to legacy, and the steps of service follow", "escalated"),
]  # fmt: skip


@pytest.mark.req("R2")
@pytest.mark.parametrize(("level", "rule", "others", "said", "then"), FAILURES)
def test_a_dry_run_explains_what_a_failed_step_leads_to(
    steps: Steps, level: str, rule: dict[str, Any], others: dict[str, Any], said: str, then: str
) -> None:
    """And the failure then leads there."""
    steps.actions.answers["a"] = lambda: False
    own: Any = [step("a", **rule), step("b")]
    steps.start({level: {"panel": own} if level == "component" else own, **others})
    component = "panel" if level == "component" else ""
    told = dry(steps, level, component)
    assert next(each.failure for each in told.steps if each.name == "a") == said
    assert f"       a failure {said}" in list(told.lines())
    back(steps, level, component)
    kinds, names = steps.kinds(), [each.name for each in begun(steps)]
    assert ("rollback_frozen" in kinds, "b" in names) == (then == "frozen", then == "goes on")
    if then == "escalated":
        assert names[-1] in ("x", "s")


@pytest.mark.req("R2")
def test_a_failure_that_the_plan_freezes_stops_a_system_that_a_person_asked_for(
    steps: Steps,
) -> None:
    """The level was asked for before the step failed, and the plan's rule holds nevertheless."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a", on_failure="freeze")], "system": [step("x")]})
    assert dry(steps, "system").steps[0].failure == "stops the steps and pages people"
    back(steps, "system")
    assert ([each.name for each in begun(steps)], "rollback_frozen" in steps.kinds()) == (
        ["a"], True,
    )  # fmt: skip


@pytest.mark.req("R2")
def test_a_person_goes_on_to_the_system_over_a_step_that_froze(steps: Steps) -> None:
    """What had failed when they asked freezes nothing again."""
    steps.actions.answers["a"] = lambda: False
    steps.start({"service": [step("a", on_failure="freeze")], "system": [step("x")]})
    back(steps)
    assert [each.name for each in begun(steps)] == ["a"]
    told = dry(steps, "system")
    assert [each.name for each in told.steps] == ["x"], "what is on record is not done again"
    assert "rolled back already" in told.traffic[0]
    back(steps, "system")
    assert [each.name for each in begun(steps)] == ["a", "x"]
    assert not steps.go(steps.world.case.state.incident).frozen


@pytest.mark.req("R2")
def test_a_step_beside_one_that_nothing_takes_back_says_what_that_changes(steps: Steps) -> None:
    """Which of both ends first nobody knows beforehand, so the dry run says both."""
    steps.start(
        {"service": [step("a"), step("drop", after=[], no_return=True)], "system": [step("x")]}
    )
    told = {each.name: each.failure for each in dry(steps).steps}
    assert told["a"] == (
        "goes on at level system: x; once drop has begun, it stops and pages people"
    )


@pytest.mark.req("R2")
def test_a_component_that_is_back_is_not_said_to_go_back_again(steps: Steps) -> None:
    """Its steps are on record, and its incident stands."""
    steps.start({"component": {"panel": [step("a")]}})
    incident = back(steps, "component", "panel")
    told = dry(steps, "component", "panel")
    assert (told.traffic, told.steps) == (
        (f"component panel is back already: incident {incident} stands",), ()
    )  # fmt: skip

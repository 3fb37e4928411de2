"""The example of a way back: a plan to be read, which has to be a good one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchover.plan.load import lint_plan, load_plan
from switchover.plan.rollback_steps import Command, HttpCall
from switchover.reporting.runbook import runbook

EXAMPLE = Path(__file__).parents[3] / "examples" / "context"
PLAN = EXAMPLE / "plan.yaml"
COMPONENTS = ("execution-core", "orchestrator", "tool-dispatcher", "connection-executor")


@pytest.mark.req("M4", "R2")
def test_the_context_plan_has_neither_faults_nor_warnings() -> None:
    """What a reader copies is what lint has nothing to say about."""
    report = lint_plan(PLAN)
    assert (report.faults, report.warnings) == ((), ())


@pytest.mark.req("M4", "R2", "R3", "R7")
def test_the_context_plan_shows_every_level_method_and_kind_of_step() -> None:
    """Component flags, RED at the first isolation violation, programs for code and settings."""
    plan = load_plan(PLAN).plan
    levels = plan.rollback.levels
    assert tuple(levels.component) == COMPONENTS
    assert {flag.component for flag in plan.flags} == set(COMPONENTS)
    steps = [step for _, _, found in levels.lists() for step in found]
    assert {step.method for step in steps} == {"flag", "code", "configuration", "database"}
    assert {Command, HttpCall} < {type(step.action) for step in steps}
    by_program = [step.method for step in steps if isinstance(step.action, Command)]
    assert {"code", "configuration"} < set(by_program)
    isolation = next(each for each in plan.triggers.red if each.name == "isolation")
    assert (isolation.metric, isolation.at_most) == ("isolation_violations", 0)
    validation = plan.rollback.validation
    assert all(wave.probes for wave in (validation.immediate, validation.functional,
                                        validation.business))  # fmt: skip
    assert plan.drill is not None


@pytest.mark.req("M4", "R9")
def test_the_runbook_of_the_context_plan_can_be_followed() -> None:
    """Who decides, a command for each component, every step, what is proved, what follows."""
    loaded = load_plan(PLAN)
    text = runbook(loaded)
    for component in COMPONENTS:
        assert f"switchover rollback context --level component --component {component} " in text
    for _, _, steps in loaded.plan.rollback.levels.lists():
        for step in steps:
            assert f". {step.name} ({step.method}, at most " in text
    for contact in loaded.plan.contacts:
        assert contact.name in text
    for words in ("RED isolation", "AMBER memory growth", "switchover drill context",
                  "no answer went to somebody else", "isolation-proved"):  # fmt: skip
        assert words in text


@pytest.mark.req("M4")
def test_the_page_beside_the_plan_names_its_flags_and_programs() -> None:
    """It says that the plan is to be read, and what the plan has."""
    page, plan = (EXAMPLE / "README.md").read_text("utf-8"), load_plan(PLAN).plan
    assert "A plan to read, not one to run" in page
    assert all(f"`{flag.name}`" in page for flag in plan.flags)
    allowed = re.search(r"SWITCHOVER_ALLOW_COMMANDS=([\w/,]+)", page)
    assert allowed is not None
    programs = {
        step.action.argv[0]
        for _, _, steps in plan.rollback.levels.lists() for step in steps
        if isinstance(step.action, Command)
    }  # fmt: skip
    assert programs == set(allowed.group(1).split(","))

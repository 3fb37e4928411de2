from __future__ import annotations

import re
from graphlib import CycleError
from pathlib import Path
from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.rollback_steps import Levels, Step, compile_steps, waves

GOOD = """\
flags:
  - {name: panel, component: panel}
rollback:
  levels:
    component:
      panel:
        - {name: flush, method: configuration, action: {kind: http, url: "http://127.0.0.1:9/f"}}
    service:
      - name: workers
        method: code
        action: {kind: command, argv: [deploy, workers, v1]}
        reverse: {kind: command, argv: [deploy, workers, v2]}
        probes: [{kind: http, name: v1 answers}]
      - {name: panel-off, method: flag, after: [], action: {kind: flags_off, flags: [panel]}}
      - {name: sure, method: flag, after: [workers, panel-off], action: {kind: split_zero}}
      - {name: drop, method: database, action: {kind: command, argv: [drop]}, no_return: true}
    system:
      - {name: dns, method: configuration, action: {kind: command, argv: [dns]}}
"""


def found(write: Any, *changes: tuple[str, str]) -> list[str]:
    """Faults of the small plan with the good levels, changed, with their lines."""
    text = GOOD
    for old, new in changes:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    report = lint_plan(write(add=text))
    return [
        f"{f.line}:{f.field.removeprefix('rollback.levels.')}: {f.message}; {f.suggestion}"
        for f in (*report.faults, *report.warnings)
    ]


def step(name: str, **more: Any) -> Step:
    """A step that runs a program of its own name."""
    action = {"kind": "command", "argv": [name]}
    return Step.model_validate({"name": name, "method": "code", "action": action, **more})


@pytest.mark.req("R2")
def test_steps_of_every_level_and_method_are_understood(write: Any) -> None:
    """Nothing to say about any of them; limits follow from the level: 30 s, 5 min, 10 min."""
    assert found(write) == []
    levels = load_plan(write(add=GOOD)).plan.rollback.levels
    limits = {
        each.name: each.seconds
        for path, _, _ in levels.lists() for each in compile_steps(levels, *path)
    }  # fmt: skip
    assert limits == {
        "flush": 30.0, "workers": 300.0, "panel-off": 300.0, "sure": 300.0, "drop": 300.0,
        "dns": 600.0,
    }  # fmt: skip
    assert step("quick", limit="2s").seconds("system") == 2.0


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("after: [workers, panel-off]", "after: [worker]"),
         "28:service[2].after[0]: there is no step 'worker' at this level; name one of: drop, "
         "panel-off, workers"),
        (("after: [workers, panel-off]", "after: [sure]"),
         "28:service[2].after[0]: 'sure' comes after itself; remove it"),
        (("after: []", "after: [drop]"),
         "27:service[1].after: steps wait for each other in a circle: sure -> drop -> panel-off -> "
         "sure; let one of them begin without the others: after: []"),
        (("name: sure", "name: workers"),
         "28:service[2].name: the name 'workers' is taken by step 1 of this level"),
        (("name: dns", "name: group"),
         "31:system[0].name: 'group' is the step that turns back the group's other migrations"),
        ((", no_return: true", ""),
         "29:service[3]: the database step 'drop' has no way back; add reverse, or say "
         "no_return: true"),
        (("no_return: true", "no_return: true, reverse: {kind: command, argv: [x]}"),
         "29:service[3].no_return: nothing takes it back, and reverse says what does"),
        (("argv: [deploy, workers, v1]", "argv: [bash, -c, deploy v1 | tee log]"),
         "24:service[0].action.argv: this hands a line to a shell"),
        (("argv: [deploy, workers, v1]", "argv: [deploy workers v1]"),
         "24:service[0].action.argv[0]: 'deploy workers v1' is a whole command line"),
        (("argv: [deploy, workers, v1]", "argv: [deploy, '&&', restart]"),
         "24:service[0].action.argv[1]: '&&' means something to a shell only"),
        (("argv: [deploy, workers, v2]", "argv: [deploy, workers, v1]"),
         "25:service[0].reverse: the way back does the same as the step"),
        (("reverse: {kind: command, argv: [deploy, workers, v2]}", "reverse: {kind: split_zero}"),
         "25:service[0].reverse: the way back of a rollback switches nothing off"),
        (("flags: [panel]", "flags: [pannel]"),
         "27:service[1].action.flags[0]: the plan has no flag 'pannel'; name one of: panel"),
        (("component: panel}", "component: side}"),
         "19:component.panel: no flag belongs to component 'panel'"),
        (("name: dns,", "name: dns, on_failure: escalate,"),
         "31:system[0].on_failure: there is no level above the system"),
        (("name: sure,", "name: sure, repeatable: true,"),
         "28:service[2].repeatable: what is built in may always be repeated"),
        (("{kind: http, name: v1 answers}", "{kind: http, name: v1 answers, timeout: 6m}"),
         "26:service[0].probes: a probe may take 6 min, and the whole step 5 min"),
        (("kind: split_zero", "kind: split_null"),
         "28:service[2].action.kind: 'split_null' is not known here; use one of flags_off"),
        (('url: "http://127.0.0.1:9/f"',
          'url: "http://127.0.0.1:9/f", headers: {Authorization: Bearer-x}'),
         "20:component.panel[0].action.headers: the value of Authorization is a secret"),
    ],
)  # fmt: skip
def test_a_plan_whose_steps_can_not_be_taken_is_refused(
    write: Any, change: tuple[str, str], said: str
) -> None:
    """Each fault stands at its line, and says what to do."""
    assert any(line.startswith(said) for line in found(write, change)), found(write, change)


@pytest.mark.req("R2")
def test_steps_come_one_after_another_unless_they_say_otherwise() -> None:
    """What dry runs show is what the engine goes by."""
    levels = Levels(service=[step("a"), step("b"), step("c", after=[]), step("d", after=["a"])])
    planned = compile_steps(levels, "service")
    assert [each.after for each in planned] == [(), ("a",), (), ("a",)]
    assert [[each.name for each in wave] for wave in waves(planned)] == [["a", "c"], ["b", "d"]]
    circle = compile_steps(Levels(service=[step("a", after=["b"]), step("b")]), "service")
    with pytest.raises(CycleError):
        waves(circle)


@pytest.mark.req("R2")
def test_explain_shows_the_way_back(write: Any) -> None:
    """Every level in its order, with limits and what has to hold."""
    lines = explain(load_plan(write(add=GOOD))).rollback
    assert (
        "service, 1, side by side: workers (code, at most 5 min): run deploy workers v1; then has "
        "to hold: v1 answers; a failure escalates"
    ) in lines
    assert any(line.startswith("service, 2: sure (flag, at most 5 min)") for line in lines)
    assert any(line.startswith("component panel, 1: flush") for line in lines)
    assert any(line.endswith("nothing takes it back") for line in lines)


@pytest.mark.req("R2")
def test_the_example_of_the_how_to_is_a_plan(write: Any) -> None:
    """What a reader copies has neither faults nor warnings."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "roll-back.md"
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "levels:" in block]
    report = lint_plan(write(add=example))
    assert (report.faults, report.warnings) == ((), ())

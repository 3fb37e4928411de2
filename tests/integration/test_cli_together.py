"""Checklist, groups and the point of no return on the command line, with real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchover.engine.work import record_work
from switchover.machine.event import StageEntered
from switchover.ports import CheckResult
from switchover.wiring import build_context, load_settings

Cli = Callable[..., Any]
LIST = """\
checklist:
  items: [checks]
  sign_offs: [{id: briefed, text: people were told, who: ada}]
"""


def write(plan: Path, name: str, add: str = "", **changes: str) -> Path:
    """A plan of another name, with more at its end."""
    text = plan.read_text(encoding="utf-8").replace("migration: demo", f"migration: {name}")
    for old, new in changes.items():
        text = text.replace(old.replace("_", " "), new)
    file = plan.with_name(f"{name}.yaml")
    file.write_text(text + add, encoding="utf-8")
    return file


@pytest.mark.req("P13")
def test_a_checklist_is_shown_signed_and_opened_again(cli: Cli, plan: Path) -> None:
    """Exit 1 while something is missing, 0 when nothing is, 4 for the wrong person."""
    assert cli("start", write(plan, "shop", LIST)).code == 0
    answer = cli("checklist", "shop")
    assert answer.code == 1
    assert answer.err == "shop: the checklist is not complete; missing: checks, briefed\n"
    refused = cli("sign", "shop", "briefed", "--by", "bo")
    assert (refused.code, "may not sign briefed" in refused.err) == (4, True)
    assert cli("sign", "shop", "oops", "--by", "ada").code == 2
    assert cli("sign", "shop", "briefed", "--by", "ada", "--note", "by mail").code == 0
    record_work(build_context(load_settings()), "shop", "checks",
                [CheckResult("up", True, "x", 0.1)], actor="t")  # fmt: skip
    document = cli("checklist", "shop", "--json").document
    assert document["complete"] is True
    assert [item["done"] for item in document["items"]] == [True, True]
    assert "checklist" in cli("status", "shop").out
    assert cli("sign", "shop", "briefed", "--by", "ada", "--withdraw").code == 0
    assert "briefed (people were told): not signed" in cli("why", "shop").out
    assert cli("audit", "verify").code == 0


@pytest.mark.req("P5", "P7")
def test_a_group_is_ended_as_one_and_nobody_by_mistake(cli: Cli, plan: Path) -> None:
    """Not without --yes where nobody can be asked; what is ended already is no fault."""
    group = "group: {name: shops}\n"
    for name in ("a", "b"):
        assert cli("start", write(plan, name, group)).code == 0
    assert cli("start", plan).code == 0
    assert cli("abort", "a", "--group", "shops").code == 2
    assert cli("abort").code == 2
    assert cli("abort", "--group", "nobody", "--yes").code == 2
    asked = cli("abort", "--group", "shops")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert cli("abort", "a").code == 0
    done = cli("abort", "--group", "shops", "--yes", "--reason", "over")
    assert done.out == "a: aborted already\nb: aborted\n"
    assert cli("status", "demo", "--json").document["phase"] == "running"
    every = cli("abort", "--all", "--yes")
    assert (every.code, every.out.splitlines()[-1]) == (0, "demo: aborted")
    for name in ("a", "b"):
        assert cli("start", write(plan, name, group)).code == 0
    back = cli("rollback", "--group", "shops", "--yes")
    assert back.code == 0
    assert back.out == "".join(
        f"{name}: back on legacy; no router is live to be waited for\n" for name in ("a", "b")
    )


@pytest.mark.req("R1", "INV5")
def test_past_the_point_of_no_return_a_rollback_takes_insisting(cli: Cli, plan: Path) -> None:
    """Refused with exit 4 also without the database; insisted on, it is done and recorded."""
    costs = "percent: 10, bake: 1ms, approval: true, reversibility: point_of_no_return"
    plan.write_text(plan.read_text(encoding="utf-8").replace("percent: 10, bake: 1ms", costs),
                    encoding="utf-8")  # fmt: skip
    assert cli("start", plan).code == 0
    context = build_context(load_settings())
    case = context.open("demo").append(
        StageEntered(1, "canary 10 %", "gradual", 1000, 0, 1.0, 1.0,
                     reversibility="point_of_no_return"), actor="t",
    )  # fmt: skip
    context.routing.write(case.state.snapshot())
    refused = cli("rollback", "demo")
    assert refused.code == 4
    assert "insist with `switchover rollback demo --past-the-point-of-no-return`" in refused.err
    assert cli("abort", "demo").code == 4
    shown = cli("status", "demo")
    assert "the point of no return is passed" in shown.out
    done = cli("rollback", "demo", "--past-the-point-of-no-return", "--json")
    assert (done.code, done.document["recorded"]) == (0, True)
    listed = cli("incident", "list", "--json").document
    assert listed["trigger"] == "person, insisting past the point of no return"


@pytest.mark.req("P7")
def test_plans_of_a_group_are_linted_together(cli: Cli, plan: Path) -> None:
    """A circle is a fault of the plans, not of the night on which it holds everything."""
    need = "group: {{name: g, depends_on: [{{migration: {}, before: 10%}}]}}\n"
    a, b = write(plan, "a", need.format("b")), write(plan, "b", need.format("a"))
    assert cli("plan", "lint", a).code == 0
    answer = cli("plan", "lint", a, "--with", b)
    assert answer.code == 1
    assert "none of them can ever begin; let one wait for less" in answer.err
    lone = cli("plan", "lint", a, "--with", write(plan, "c"))
    assert "a waits for b, which is none of these plans" in lone.err
    assert cli("plan", "lint", a, "--with", "nowhere.yaml").code == 2

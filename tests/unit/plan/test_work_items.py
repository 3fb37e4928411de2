from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan

pytestmark = pytest.mark.req("T13")

TABLES = (
    "work_items:\n"
    "  legacy: {database: env:DESK, table: tickets, key: number, state: status}\n"
    "  candidate: {database: env:AGENTS, table: work, key: ticket, state: state, updated: at}\n"
)


def said(write: Any, *lines: str) -> list[str]:
    """Field, message and advice of every fault of a plan with these lines in the section."""
    report = lint_plan(write(add=TABLES + "".join(f"  {line}\n" for line in lines)))
    return [f"{f.field}: {f.message}; {f.suggestion}" for f in report.faults]


def test_the_shortest_section_is_good(write: Any) -> None:
    """Two tables; everything else has a default that changes nothing."""
    assert said(write) == []
    items = load_plan(write(add=TABLES)).plan.work_items
    assert items is not None
    assert (items.settle, items.every, items.limit, items.at_most) == (300.0, 300.0, 100, 0)
    assert items.rules == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{legacy: missing, candidate: done, repair: use_candidate}",
         "rules[0].repair: rows are neither made nor deleted, as an item is more than its state; "
         "write repair: report"),
        ("{legacy: done, candidate: completed, repair: use_legacy}",
         "rules[0].candidate: legacy's 'done' and the candidate's 'completed' agree; "
         "name a state in which they differ"),
        ("{legacy: queued, candidate: done, repair: use_legacy}",
         "rules[0].legacy: the candidate's 'queued' is legacy's 'open', so it has no name for "
         "legacy's 'queued'; name it under states, or write repair: report"),
        ("{legacy: done, candidate: open, repair: use_legcay}",
         "rules[0].repair: 'use_legcay' is not known here; did you mean 'use_legacy'?"),
        ("{legacy: 1, candidate: open, repair: report}",
         "rules[0].legacy: expected text, found the number 1; put it in quotes: \"1\""),
    ],
)  # fmt: skip
def test_rules_that_can_do_no_good_are_refused(write: Any, rule: str, fault: str) -> None:
    """Each with its place and what to do."""
    states = "states: {completed: done, queued: open}"
    assert said(write, states, "rules:", f"  - {rule}") == [f"work_items.{fault}"]


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        (("done", '"*"'), ("done", "open"), True),
        (('"*"', '"*"'), ("done", "open"), True),
        (("done", "open"), ("done", "open"), True),
        (("done", "open"), ("done", '"*"'), False),
        (('"*"', '"*"'), ("done", "missing"), False),
        (("failed", '"*"'), ("done", "open"), False),
    ],
)
def test_a_rule_behind_one_that_covers_it_is_refused(
    write: Any, first: tuple[str, str], second: tuple[str, str], covered: bool
) -> None:
    """The first one counts; any state is not the same as no row."""
    lines = [f"  - {{legacy: {a}, candidate: {b}, repair: report}}" for a, b in (first, second)]
    faults = said(write, "rules:", *lines)
    assert bool(faults) is covered
    if covered:
        assert faults[0].startswith("work_items.rules[1]: this rule never applies, as rules[0]")


@pytest.mark.parametrize(("repair", "faults"), [("use_legacy", 1), ("use_candidate", 0)])
def test_a_repair_has_one_name_to_write(write: Any, repair: str, faults: int) -> None:
    """Two names for one state of legacy are fine until one of them has to be chosen."""
    rule = f"  - {{legacy: done, candidate: open, repair: {repair}}}"
    found = said(write, "states: {completed: done, archived: done}", "rules:", rule)
    assert len(found) == faults
    assert all("both 'completed' and 'archived' are legacy's 'done'" in each for each in found)


def test_both_sides_being_the_same_column_is_refused(write: Any) -> None:
    """Nothing could ever disagree."""
    same = "{database: env:DESK, table: tickets, key: number, state: status}"
    report = lint_plan(write(add=f"work_items:\n  legacy: {same}\n  candidate: {same}\n"))
    assert [fault.field for fault in report.faults] == ["work_items.candidate.table"]


def test_an_address_with_a_password_or_without_sense_is_refused(write: Any) -> None:
    """The plan is kept for ever; the message does not repeat the password."""
    wrong = TABLES.replace("env:DESK", "postgresql://ann:hunter2@desk/x").replace("env:AG", "AG")
    faults = lint_plan(write(add=wrong)).faults
    assert [(f.field, f.suggestion) for f in faults] == [
        ("work_items.legacy.database", "write env:NAME of a variable that holds the address"),
        ("work_items.candidate.database", "write env:NAME of a variable that holds it"),
    ]
    assert "hunter2" not in "".join(map(str, faults))


def test_explain_says_what_is_compared_and_repaired(write: Any) -> None:
    """As something that each stage with traffic needs to be left."""
    rule = "  rules: [{legacy: done, candidate: pending, repair: use_legacy}]\n"
    stages = explain(load_plan(write(add=TABLES + rule))).stages
    told = [[line for line in stage.needs if line.startswith("work items")] for stage in stages]
    assert told == [[], *[[
        "work items agree: no item of tickets and work in two states for over 5 min; "
        "repaired (legacy / candidate): done / pending: use legacy"
    ]] * 3, []]  # fmt: skip


def test_the_example_of_the_how_to_is_a_good_section(write: Any) -> None:
    """What a reader copies first."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "reconcile-work-items.md"
    example = page.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    report = lint_plan(write(add=example))
    assert (report.faults, report.warnings) == ((), ())

"""One sentence for every wait: what it is, what unblocks it, and when the schedule looks again."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import switchover.machine.decide
from switchover.engine.freeze import freeze
from switchover.engine.waiting import UNBLOCKS, explain
from switchover.machine.action import Action, Ask, CheckData, Enter, Nothing, Wait, Work
from switchover.ports import ALL

pytestmark = pytest.mark.req("P7")

BERLIN = {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"}
#: The world's clock begins on Monday 2026-01-05 at 9:00 UTC.
NEXT = "next run Tue 2026-01-06 09:00 Europe/Berlin"


def codes() -> set[str]:
    """Every code of a wait that decide gives."""
    tree = ast.parse(Path(switchover.machine.decide.__file__).read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Wait":
            argument = node.args[1]
            if isinstance(argument, ast.Name):
                found |= {"dwell", "evidence"}
            else:
                found.add(ast.literal_eval(argument))
    return found


def test_every_wait_has_its_words() -> None:
    """A new code has to say what unblocks it."""
    assert codes() == set(UNBLOCKS)


@pytest.mark.parametrize(
    ("code", "until", "said"),
    [
        ("dwell", True, f"reason until Mon 2026-01-05 11:00 Europe/Berlin; {NEXT}"),
        ("evidence", False, f"reason; more traffic settles it; {NEXT}"),
        ("no_data", False, "reason; it goes on when evidence comes in again, from recorders or "
                           f"sources; {NEXT}"),
        ("unreadable", False, f"reason; it goes on when they can be read again; {NEXT}"),
        ("lost", False, "reason; it goes on when enough arrives without losses, or with "
                        f"judgement.lost: note; {NEXT}"),
        ("proxies", False, "reason; it goes on when they follow, `switchover status demo` shows "
                           f"each; {NEXT}"),
        ("alert", False, f"reason; it goes on when the target is kept again; {NEXT}"),
        ("frozen", True, f"reason; {NEXT}"),
        ("group", False, f"reason; {NEXT}"),
        ("checklist", False, f"reason; {NEXT}"),
        ("scheduled", False, "reason"),
        ("approval", True, "reason until Mon 2026-01-05 11:00 Europe/Berlin; `switchover approve "
                           "demo` or `switchover reject demo` decides"),
        ("held", False, "reason"),
        ("stranded", False, "reason; it goes on by itself when the evidence is good again"),
        ("rollback_advised", False, "reason; `switchover rollback demo` does it, else it waits "
                                    "for better evidence"),
    ],
)  # fmt: skip
def test_a_wait_says_what_unblocks_it(world: Any, code: str, until: bool, said: str) -> None:
    """In the words of the table, with times by the plan's clock."""
    case = world.start(schedule=BERLIN)
    when = world.clock.now().timestamp() + 3600 if until else None
    assert explain(case, Wait("reason", code, when)) == said


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Work("checks has to pass"), f"checks has to pass: the next advance runs it; {NEXT}"),
        (CheckData("rows differ"), f"rows differ: the next advance runs it; {NEXT}"),
        (Ask("canary 25 % needs a person", 2), "canary 25 % needs a person at the next advance; "
                                               f"{NEXT}"),
        (Enter("shadow passed", 2), f"shadow passed at the next advance; {NEXT}"),
        (Nothing("complete: the candidate serves everything"),
         "complete: the candidate serves everything"),
    ],
)  # fmt: skip
def test_what_is_due_says_when_it_is_done(world: Any, action: Action, said: str) -> None:
    """By the next advance, and when the schedule makes one; a migration that ended says so."""
    assert explain(world.start(schedule=BERLIN), action) == said


def test_the_next_run_is_one_that_helps(world: Any) -> None:
    """After a bake of three days, and past what the calendar closes."""
    case = world.start(schedule={**BERLIN, "weekdays": ["mon"]})
    later = world.clock.now().timestamp() + 3 * 86400
    assert explain(case, Wait("bakes", "dwell", later)).endswith(
        "; next run Mon 2026-01-12 09:00 Europe/Berlin"
    )
    ended = world.start(schedule={**BERLIN, "weekdays": ["mon"]})
    assert ended.state == case.state


def test_a_stop_is_told_with_whatever_else_is_awaited(world: Any) -> None:
    """People see it before it is the only thing in the way; the next run is one after it."""
    case = world.start(schedule=BERLIN)
    until = world.clock.now() + timedelta(days=1, hours=2)
    freeze(world.context, ALL, actor="ann", reason="market opens", until=until)
    said = explain(case, Wait("the stage bakes", "dwell", None))
    assert said.startswith("the stage bakes; all migrations frozen by ann since ")
    assert said.endswith("; next run Wed 2026-01-07 09:00 Europe/Berlin")
    assert explain(case, Work("checks has to pass")).endswith(NEXT)


@pytest.mark.parametrize("code", ["frozen", "dwell", "evidence"])
def test_no_run_is_promised_while_nobody_lifted_a_stop_without_an_end(
    world: Any, code: str
) -> None:
    """No run of the schedule takes a step before somebody does."""
    case = world.start(schedule=BERLIN)
    freeze(world.context, ALL, actor="ann", reason="market opens")
    assert "next run" not in explain(case, Wait("reason", code, None))
    assert "next run" in explain(case, Work("checks has to pass"))

"""`freeze`, `unfreeze` and what `list`, `status` and `why` say of a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.req("P7", "INV5")

Cli = Callable[..., Any]


def test_a_stop_is_set_shown_everywhere_and_lifted(cli: Cli, plan: Path) -> None:
    """One command for all, one for lifting; the answer is a sentence."""
    assert cli("freeze", "--list").out == "nothing is frozen\n"
    assert cli("start", plan).code == 0
    answer = cli("freeze", "--all", "--reason", "market opens", "--as", "ann")
    assert answer.code == 0
    assert answer.out.startswith("all migrations frozen by ann since ")
    assert answer.out.endswith(": market opens; `switchover unfreeze --all` lifts it\n")
    assert "frozen" in cli("list").out
    assert json.loads(cli("list", "--json").out)["frozen"] is True
    assert "all migrations frozen by ann" in cli("why", "demo").out
    assert "market opens" in " ".join(cli("status", "demo").out.split())
    assert len(json.loads(cli("status", "demo", "--json").out)["frozen"]) == 1
    assert "market opens" in cli("freeze", "--list").out
    (stop,) = map(json.loads, cli("freeze", "--list", "--json").out.splitlines())
    assert (stop["migration"], stop["actor"], stop["until"]) == (None, "ann", None)
    assert "frozen by ann" in cli("history", "demo").out
    answer = cli("unfreeze", "--all")
    assert answer.out == "all migrations not frozen any more; carl lifted it (market opens)\n"
    assert cli("freeze", "--list", "--json").out == ""
    assert "frozen" not in cli("list").out
    assert "frozen by" not in cli("why", "demo").out


def test_one_migration_is_frozen_by_itself(cli: Cli, plan: Path) -> None:
    """Until a time, which may have an offset; a rollback is not held up."""
    assert cli("start", plan).code == 0
    until = "2099-01-01T09:00+01:00"
    answer = cli("freeze", "demo", "-r", "audit", "--until", until, "--json")
    assert json.loads(answer.out)["until"] == "2099-01-01T08:00:00+00:00"
    assert "2099-01-01 08:00 UTC" in cli("freeze", "--list").out
    assert cli("rollback", "demo", "--reason", "bad").code in (0, 3)
    assert "rolled back" in cli("list").out
    assert cli("unfreeze", "demo").code == 0


def test_lifting_one_stop_says_that_all_are_stopped_still(cli: Cli, plan: Path) -> None:
    """Nobody goes home thinking that it moves again."""
    assert cli("start", plan).code == 0
    assert cli("freeze", "--all", "-r", "market opens").code == 0
    still = "all migrations are frozen still: `switchover unfreeze --all`"
    refused = cli("unfreeze", "demo")
    assert (refused.code, still in refused.err) == (4, True)
    assert cli("freeze", "demo", "-r", "audit").code == 0
    assert "it is lifted" in cli("freeze", "--list").out
    assert cli("unfreeze", "demo").out.endswith(f"lifted it (audit); {still}\n")
    assert "still" not in cli("unfreeze", "--all").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["freeze", "-r", "x"], 2, "name one migration, or write --all"),
        (["freeze", "demo", "--all", "-r", "x"], 2, "name one migration, or write --all"),
        (["freeze", "--all"], 2, "a stop needs a reason"),
        (["freeze", "--all", "-r", "x", "--until", "soon"], 2, "--until: 'soon' is not a moment"),
        (["freeze", "--all", "-r", "x", "--until", "2020-01-01"], 2, "give a later --until"),
        (["freeze", "other", "-r", "x"], 2, "there is no migration 'other'"),
        (["unfreeze"], 2, "name one migration, or write --all"),
        (["unfreeze", "--all"], 4, "nobody froze that; `switchover freeze --list` shows what is"),
    ],
)
def test_what_is_not_clear_is_refused(
    cli: Cli, plan: Path, arguments: list[str], code: int, says: str
) -> None:
    """Each refusal says what to write instead."""
    assert cli("start", plan).code == 0
    answer = cli(*arguments)
    assert answer.code == code
    assert says in answer.err

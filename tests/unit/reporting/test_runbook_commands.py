"""Every command of a runbook is one that the command line takes, as it stands there."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from switchover.cli.main import VERBS
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.reporting.runbook import runbook

pytestmark = pytest.mark.req("R9")

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
SPARSE: dict[str, Any] = {
    "switchover": 1, "migration": "shop", "title": "Shop 1 to 2",
    "systems": {"legacy": {"version": "1", "url": "http://127.0.0.1:1"},
                "candidate": {"version": "2", "url": "http://127.0.0.1:2"}},
    "request_key": {"field": "id"},
    "gates": [{"metric": "success_rate", "at_least": "99%"}],
}  # fmt: skip
RICH: dict[str, Any] = {
    **SPARSE,
    "stages": [
        {"kind": "canary", "percent": 10},
        {"kind": "canary", "percent": 100, "approval": True,
         "reversibility": "point_of_no_return"},
    ],
    "flags": [{"name": "new-search", "component": "search panel; rm -rf", "visibility": "public"},
              {"name": "new-cart", "visibility": "internal"}],
    "approvals": {"approvers": ["bo"]},
    "group": {"name": "shops"},
    "rollback": {"levels": {"service": [
        {"name": "workers", "method": "code", "action": {"kind": "command", "argv": ["bin/v1"]}}
    ]}},
    "drill": {"cron": "0 7 * * 2"},
}  # fmt: skip


def written(document: dict[str, Any]) -> str:
    """The runbook of a plan."""
    loaded = LoadedPlan(restore_plan(document), Path(), (), "", digest(document), document)
    return runbook(loaded)


def pasted(page: str) -> list[str]:
    """The commands in blocks of shell."""
    blocks = re.findall(r"(?ms)^```(?:sh|console)\n(.*?)^```", page)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ").strip() for line in lines]
    return [line for line in found if line.startswith("switchover ")]


def mentioned(page: str) -> list[str]:
    """Those in the text."""
    text = re.sub(r"(?ms)^```.*?^```", "", page)
    return re.findall(r"`(switchover [^`]+)`", " ".join(text.split()))


def refusal(command: str) -> str:
    """What the parser has against a command; empty when it takes it."""
    _, verb, *rest = shlex.split(command, comments=True)
    if verb not in VERBS:
        return f"there is no verb {verb}"
    parser = typer.main.get_command(importlib.import_module(f"switchover.cli.{verb}").app)
    try:
        context = parser.make_context(verb, rest)
        while hasattr(context.command, "resolve_command"):
            left = [*context._protected_args, *context.args]
            name, found, left = context.command.resolve_command(context, left)
            context = found.make_context(name, left, parent=context)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def refused(page: str) -> dict[str, str]:
    """What of a page the command line does not take. A mention in the text need not be whole."""
    placeholders = {"…", "PLAN", "M"}
    told = [each for each in mentioned(page) if not placeholders & {*each.split()}]
    found = {each: why for each in told if (why := refusal(each))}
    found = {each: why for each, why in found.items() if not why.startswith("MissingParameter")}
    shown = [each for each in pasted(page) if "[" not in each]
    return found | {each: why for each in shown if (why := refusal(each))}


@pytest.mark.parametrize("document", [SPARSE, RICH], ids=["sparse", "rich"])
def test_every_command_of_a_runbook_is_taken_as_it_stands(document: dict[str, Any]) -> None:
    """Whoever pastes it at night gets no word about options."""
    page = written(document)
    assert len(pasted(page)) >= 8
    assert len(mentioned(page)) >= 5
    assert refused(page) == {}


def test_a_name_with_a_blank_or_worse_is_one_argument() -> None:
    """What a plan calls a component is quoted, and no shell runs a part of it."""
    (command,) = [each for each in pasted(written(RICH)) if "--component " in each]
    words = shlex.split(command)
    assert words[words.index("--component") + 1] == "search panel; rm -rf"


@pytest.mark.parametrize(
    "page", ["choose-triggers", "handle-an-incident", "validate-a-rollback", "write-the-runbook",
             "roll-back", "roll-back-a-feature", "roll-back-a-backend", "roll-back-a-frontend"],
)  # fmt: skip
def test_the_commands_of_the_pages_about_it_are_taken(page: str) -> None:
    """Options and verbs change; pages that were not changed with them are found."""
    assert refused((PAGES / f"{page}.md").read_text("utf-8")) == {}


def test_a_command_that_is_none_is_found() -> None:
    """The reader above refuses what the command line refuses."""
    assert "verb" in refusal("switchover roll-back shop")
    assert "--no-such" in refusal("switchover rollback shop --no-such")
    assert refusal("switchover incident lst")

"""The runbook tells everything that the plan says of the way back, and only that."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from switchover.cli.main import run
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.reporting.runbook import runbook

pytestmark = pytest.mark.req("R9")

PLAN: dict[str, Any] = {
    "switchover": 1, "migration": "shop", "title": "Shop 1 to 2",
    "contacts": [{"name": "Ada", "role": "on call", "reach": "pager 12"}],
    "systems": {"legacy": {"version": "1", "url": "http://127.0.0.1:1"},
                "candidate": {"version": "2", "url": "http://127.0.0.1:2"}},
    "request_key": {"field": "id"},
    "stages": [
        {"kind": "canary", "percent": 10, "reversibility": "compensable",
         "compensation": "copy the orders back"},
        {"kind": "canary", "percent": 100, "approval": True,
         "reversibility": "point_of_no_return"},
    ],
    "gates": [{"metric": "success_rate", "at_least": "99%"}],
    "triggers": {"red": [{"metric": "error_rate", "kind": "proportion", "at_most": "30%"}]},
    "targets": [{"metric": "success_rate", "target": "99%", "alert": "95%"}],
    "flags": [{"name": "new-search", "component": "search panel", "visibility": "public"}],
    "approvals": {"approvers": ["bo"], "roles": {"lead": ["cy"]}},
    "notify": {"slack_channel": "#shop"},
    "rollback": {
        "criteria": [{"id": "fixed", "text": "the totals are right"}],
        "levels": {
            "service": [
                {"name": "workers", "method": "code", "limit": "3m",
                 "action": {"kind": "command", "argv": ["bin/deploy", "v1"]}},
                {"name": "cache", "method": "configuration", "after": [],
                 "action": {"kind": "http", "url": "http://127.0.0.1:9/flush"}},
            ],
        },
        "validation": {"functional": {"probes": [{"name": "an order", "kind": "http"}]}},
    },
    "drill": {"cron": "0 7 * * 2", "max_age": "14d"},
}  # fmt: skip


def loaded(**changes: Any) -> LoadedPlan:
    """The plan, changed."""
    document = {**copy.deepcopy(PLAN), **changes}
    return LoadedPlan(restore_plan(document), Path(), (), "", digest(document), document)


@pytest.mark.parametrize(
    "sentence",
    [
        "switchover rollback shop --reason",
        "switchover rollback shop --level component --component 'search panel' --reason",
        "switchover flags set shop new-search --off",
        "switchover rollback shop --level system",
        "switchover rollback shop --past-the-point-of-no-return",
        "success\\_rate at least 99 %",
        "RED error\\_rate",
        "| Ada | on call | pager 12 |",
        "approvers: bo, cy",
        "lead: cy",
        "told in #shop",
        "1. workers (code, at most 3 min): run bin/deploy v1",
        "1. cache (configuration, at most 5 min)",
        "### Functional, 5 min to 10 min after",
        "- [ ] an order",
        "- [ ] from canary 10 % on: copy the orders back",
        "From canary 100 % on nothing rolls back by itself",
        "- [ ] fixed: the totals are right",
        "rehearsed at '0 7 \\* \\* 2' (synthetic), good for 14 d",
        "| Redis |",
    ],
)
def test_everything_that_the_plan_says_of_the_way_back_is_told(sentence: str) -> None:
    """Triggers, people, commands ready to paste, steps with limits, waves, costs and criteria."""
    assert sentence in runbook(loaded())


def test_the_front_end_goes_back_by_the_flags_that_browsers_are_told_of() -> None:
    """An internal flag is no part of it."""
    front = runbook(loaded()).split("### The front end")[1].split("###")[0]
    assert "new-search --off" in front
    hidden = [{"name": "new-search", "visibility": "internal"}]
    front = runbook(loaded(flags=hidden)).split("### The front end")[1].split("###")[0]
    assert "new-search" not in front


def test_a_plan_that_leaves_rollbacks_to_people_says_so() -> None:
    """Nobody may wait for what will not come."""
    text = runbook(loaded(rollback={"automatic": False}))
    assert "Nothing rolls back by itself (`rollback.automatic: false`)" in text


def test_what_people_wrote_does_not_act_as_markdown() -> None:
    """A title or a contact can't put a link or a heading into the page."""
    text = runbook(loaded(title="A [link](http://127.0.0.1) <b>"))
    assert "[link](" not in text
    assert "<b>" not in text


def test_the_same_plan_gives_the_same_text_and_another_plan_another() -> None:
    """So that a file can be compared with it."""
    assert runbook(loaded()) == runbook(loaded())
    assert runbook(loaded()) != runbook(loaded(contacts=[]))


def test_check_ends_with_1_until_the_file_is_written_anew(tmp_path: Path, capsys: Any) -> None:
    """A plan that changed makes the old runbook stale; a missing file is stale too."""
    plan, page = tmp_path / "plan.yaml", tmp_path / "runbook.md"
    document = copy.deepcopy(PLAN)
    document["flags"], document["triggers"] = [], {}
    plan.write_text(json.dumps(document))
    check = ["plan", "runbook", str(plan), "--check", str(page)]
    assert run(check) == 1
    assert run(["plan", "runbook", str(plan), "--output", str(page)]) == 0
    assert run(check) == 0
    plan.write_text(plan.read_text().replace("pager 12", "pager 13"))
    capsys.readouterr()
    assert run(check) == 1
    assert "is not the runbook of this plan: " in capsys.readouterr().err

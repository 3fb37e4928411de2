"""A runbook's commands, pasted as they stand, on a real database and a real Valkey."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

PLAN = """\
switchover: 1
migration: shop
title: Shop
systems:
  legacy: {version: "1", url: "http://127.0.0.1:9"}
  candidate: {version: "2", url: "http://127.0.0.1:8"}
request_key: {field: id}
stages: [{kind: shadow, bake: 1h}, {kind: canary, percent: 100, bake: 1h}]
gates: [{metric: success_rate}]
flags:
  - {name: new-search, component: "search panel", visibility: public}
rollback:
  levels:
    service:
      - {name: note, method: code, action: {kind: command, argv: ["true"]}}
"""
#: Where somebody who pastes all of them begins: what turns little comes before what turns all.
ORDER = ("--dry-run", "switchover status", "flags set", "--level component", "incident list",
         "what you saw", "shop --reason", "--level system", "switchover steps")  # fmt: skip
#: These take their time, and have tests of their own.
ELSEWHERE = ("switchover drill", "--validate")


@pytest.mark.req("R9")
def test_every_pasted_command_does_what_the_page_says(cli: Cli, tmp_path: Path) -> None:
    """As it stands, quotes and all; at the end legacy serves, and an incident is open."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN, "utf-8")
    written = cli("plan", "runbook", plan)
    assert written.code == 0, written.err
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", written.out)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [line for line in lines if not any(words in line for words in ELSEWHERE)]
    found = [[each for each in commands if words in each] for words in ORDER]
    assert all(found), found
    assert {each for group in found for each in group} == set(commands)
    assert cli("start", plan).code == 0
    answers = {each: cli(*shlex.split(each)[1:]) for group in found for each in group}
    # No worker is there to take the step, and the command says so.
    assert {each: answer.err for each, answer in answers.items() if answer.code} == {
        "switchover steps shop": "shop: steps are left: note\n"
    }
    shown = cli("status", "shop", "--json").document
    assert (shown["phase"], shown["split"]) == ("rolled_back", 0)
    assert "critical" in cli("incident", "list", "--open").out

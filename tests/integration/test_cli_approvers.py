"""Approvers and their codes on the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from switchover import Recorder
from switchover.cli import decision
from switchover.engine.advance import take_step
from switchover.engine.collect import collect
from switchover.engine.work import record_work
from switchover.ports import CheckResult
from switchover.wiring import build_context, load_settings
from tests.integration.conftest import PLAN, Cli

pytestmark = [pytest.mark.req("P6")]

CODED = PLAN.replace(
    "approvals: {approvers: [ada, bo], four_eyes: true, expires: 10h}",
    "approvals: {approvers: [ada, bo], roles: {ward: [cleo, dora]}, min_approvers: 2, "
    "require: {ward: 1}, identity: code, expires: 10h}",
)


@pytest.fixture
def coded(cli: Cli, plan: Path) -> Cli:
    """A migration that waits for two approvers, each with a code."""
    plan.write_text(CODED, encoding="utf-8")
    assert cli("start", plan).code == 0
    context = build_context(load_settings())
    record_work(context, "demo", "checks", [CheckResult("up", True, "x", 0.1)], actor="t")
    assert take_step(context, "demo", actor="t").action == "enter"
    with Recorder("demo") as recorder:
        for _ in range(2000):
            recorder.record("success_rate", True, system="candidate")
            recorder.record("prediction_latency_p99", 0.05, system="candidate")
    collect(context, "demo")
    assert take_step(context, "demo", actor="carl").action == "ask"
    return cli


def issue(cli: Cli, name: str, *more: str) -> str:
    """Issue a code; gives it."""
    return str(cli("approvers", "add", name, *more, "--json").document["code"])


def test_a_code_is_issued_once_and_listed_never(cli: Cli, tmp_path: Path) -> None:
    """Before any migration, in a ledger that is made for it; only its hash is stored."""
    assert cli("approvers", "list").out.startswith("nobody has an approval code")
    told = cli("approvers", "add", "ada", "--slack", "U0ADA")
    [code] = re.findall(r"[0-9a-z]{5}(?:-[0-9a-z]{5}){3}", told.out)
    listed = cli("approvers", "list")
    assert "ada" in listed.out
    assert "U0ADA" in listed.out
    assert "valid" in listed.out
    [row] = cli("approvers", "list", "--json").lines
    assert (row["name"], row["slack_user"], row["failures"]) == ("ada", "U0ADA", 0)
    assert code not in listed.out + str(row)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.sqlite*"))
    assert b"scrypt$" in stored
    assert code.encode() not in stored


def test_a_revoked_code_is_shown_as_such(cli: Cli) -> None:
    """And a name without one is bad input."""
    issue(cli, "ada")
    assert cli("approvers", "revoke", "ada").code == 0
    assert "revoked" in cli("approvers", "list").out
    assert cli("approvers", "revoke", "eve").code == 2
    assert cli("approvers", "add", "a:b").code == 2


def test_a_quorum_of_codes_by_command(coded: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a code of their own from the environment; status says who is missing."""
    codes = {name: issue(coded, name) for name in ("ada", "cleo")}
    monkeypatch.setenv("SWITCHOVER_APPROVAL_CODE", codes["ada"])
    assert coded("approve", "demo", "--as", "cleo").code == 4
    first = coded("approve", "demo", "--as", "ada", "--reason", "fine")
    assert "has the approval of ada; still missing: 1 of ward (cleo, dora)" in first.out
    status = coded("status", "demo").out
    assert "ada approved at" in re.sub(r"\s+", " ", status)
    assert "(cli, by code)" in re.sub(r"\s+", " ", status)
    monkeypatch.setenv("SWITCHOVER_APPROVAL_CODE", codes["cleo"])
    second = coded("approve", "demo", "--as", "cleo", "--json").document
    assert (second["status"], second["votes"]) == ("approved", ["ada", "cleo"])
    monkeypatch.setenv("COLUMNS", "400")
    history = coded("history", "demo").out
    asked = coded("status", "demo", "--json").document["approval"]
    assert history.count(f"evidence {asked['evidence'][:12]}") == 3
    assert "known by code" in history
    assert "wrong approval code for cleo by cli: 1 in a row" in history
    for code in codes.values():
        assert code not in history + coded("history", "demo", "--json").out


def test_without_a_terminal_and_without_the_variable_nobody_is_asked(
    coded: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal says how to give a code, and a code is no option of the command."""
    monkeypatch.delenv("SWITCHOVER_APPROVAL_CODE", raising=False)
    answer = coded("approve", "demo", "--as", "ada")
    assert answer.code == 4
    assert "SWITCHOVER_APPROVAL_CODE" in answer.err
    assert coded("approve", "demo", "--code", "x").code == 2


def test_on_a_terminal_the_code_is_typed_unseen(
    coded: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt names whose code it is."""
    monkeypatch.delenv("SWITCHOVER_APPROVAL_CODE", raising=False)
    code, prompts = issue(coded, "ada"), []

    def typed(prompt: str) -> str:
        prompts.append(prompt)
        return code

    monkeypatch.setattr(decision, "getpass", typed)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    stranger = coded("approve", "demo", "--as", "mallory")
    assert (stranger.code, prompts) == (4, []), "a code would not help"
    assert "'mallory' may not approve this" in stranger.err
    assert coded("reject", "demo", "--as", "ada", "--reason", "no").code == 0
    assert prompts == ["Approval code of ada: "]

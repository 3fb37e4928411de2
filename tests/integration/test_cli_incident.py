"""What people do about an incident, by commands on a real database and a real Valkey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
ACTION = "pin it (owner: ada, due: 2026-03-09)"
WORDS = ("--root-cause", "a stale cache", "--impact", "nobody noticed", "--action", ACTION,
         "--prevention", "a test", "--mitigated", "looked at it")  # fmt: skip


@pytest.fixture
def incident(cli: Cli, plan: Path) -> str:
    """The incident of a rollback by hand."""
    assert cli("start", plan).code == 0
    answer = cli("rollback", "demo", "--reason", "bad feeling", "--json")
    assert answer.code == 0
    return str(answer.document["incident"])


@pytest.mark.req("R6")
def test_a_retry_is_refused_until_everything_is_done(cli: Cli, plan: Path, incident: str) -> None:
    """Exit 4 with what is open and the commands; then they open the way."""
    refused = cli("start", plan)
    assert refused.code == 4
    for part in ("root cause", "fix-deployed", f"switchover incident show {incident}"):
        assert part in refused.err
    assert cli("incident", "analyse", incident, *WORDS).code == 0
    shown = cli("incident", "show", incident, "--json").document
    for criterion in shown["criteria"]:
        assert cli("start", plan).code == 4
        assert cli("incident", "tick", incident, criterion["id"], "--note", "seen").code == 0
    assert cli("start", plan, "--json").document["attempt"] == 2


@pytest.mark.req("R5")
def test_an_incident_goes_from_open_to_closed(cli: Cli, incident: str) -> None:
    """Each command says how it stands; what can't be done yet says what is missing."""
    early = cli("incident", "close", incident)
    assert early.code == 4
    assert "root cause, impact, actions, prevention" in early.err
    assert cli("incident", "acknowledge", incident, "--as", "ada").code == 0
    document = cli("incident", "analyse", incident, *WORDS, "--json").document
    assert (document["state"], document["severity"]) == ("analysed", "minor")
    assert document["acknowledged_by"] == "ada"
    assert document["findings"]["actions"] == [
        {"text": "pin it", "owner": "ada", "due": "2026-03-09"}
    ]
    assert [step["step"] for step in document["recovery"]] == [
        "stabilise", "analyse", "improve", "retry",
    ]  # fmt: skip
    assert incident in cli("incident", "list", "--open").out
    assert "is closed" in cli("incident", "close", incident, "--note", "done").out
    assert cli("incident", "list", "--open").out == "no incident is open\n"
    (row,) = cli("incident", "list", "--json").lines
    assert (row["state"], row["closed_by"]) == ("closed", "carl")
    assert cli("incident", "close", incident).code == 4


@pytest.mark.req("R5")
def test_people_write_in_the_file_and_the_command_reads_it(
    cli: Cli, incident: str, tmp_path: Path
) -> None:
    """Its sections count with a command, wherever the file is, and stay as written."""
    (file,) = (tmp_path / "incidents").glob("*.md")
    assert (tmp_path / "incidents" / f"{incident}.png").read_bytes().startswith(b"\x89PNG")
    assert cli("incident", "analyse", incident).code == 2
    text = file.read_text(encoding="utf-8")
    for title, body in (("Root cause", "A *stale* cache.\n\nSince Monday."), ("Impact", "None."),
                        ("Actions", f"- [ ] {ACTION}"), ("Prevention", "A test.")):  # fmt: skip
        text = text.replace(f"## {title}\n\n_To be filled in._", f"## {title}\n\n{body}")
    file.write_text(text, encoding="utf-8")
    assert cli("incident", "analyse", incident).code == 0
    after = file.read_text(encoding="utf-8")
    assert after.partition("switchover:end")[2] == text.partition("switchover:end")[2]
    findings = cli("incident", "show", incident, "--json").document["findings"]
    assert findings["root_cause"] == "A *stale* cache.\n\nSince Monday."
    moved = file.rename(tmp_path / "elsewhere.md")
    moved.write_text(after.replace("A test.", "Two tests."), encoding="utf-8")
    document = cli("incident", "analyse", incident, "--from", moved, "--impact", "Some.", "--json")
    assert document.document["findings"]["prevention"] == "Two tests."
    assert document.document["findings"]["impact"] == "Some."


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("analyse", "ID", "--action", "pin it"), 2, "owner and due"),
        (("analyse", "ID", "--from", "nowhere.md"), 2, "nowhere.md: can't be read"),
        (("tick", "ID", "other"), 4, "no criterion 'other', but root-cause"),
        (("untick", "ID", "root-cause"), 4, "root-cause is not ticked"),
        (("close", "demo-9"), 2, "no incident 'demo-9'"),
    ],
)
def test_what_can_not_be_done_says_why(
    cli: Cli, incident: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Bad input is 2, what is refused is 4."""
    answer = cli("incident", *(incident if each == "ID" else each for each in arguments))
    assert answer.code == code
    assert said in answer.err


@pytest.mark.req("R6", "K4")
def test_everything_that_people_did_is_in_the_ledger(cli: Cli, incident: str) -> None:
    """And verifies; a tick that was taken back is seen, too."""
    cli("incident", "tick", incident, "drill-done", "--as", "bo")
    cli("incident", "untick", incident, "drill-done", "--as", "ada", "--reason", "too early")
    history = cli("history", "demo", "--json").lines
    kinds = [entry["kind"] for entry in history]
    assert kinds[-2:] == ["criterion_ticked", "criterion_unticked"]
    assert cli("audit", "verify").code == 0
    report = cli("incident", "show", incident).out
    assert "| bo | Criterion drill-done ticked |" in report
    assert "Criterion drill-done is open again: too early" in report
    assert cli("status", "demo", "--json").document["incident"] == incident

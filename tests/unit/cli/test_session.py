"""What verbs print for people."""

from __future__ import annotations

import pytest

from switchover.cli.session import facts_table, say, table

FORGED = "fine\x1b[2Kno\x9b1A \u202eevil\x00\x07"


@pytest.mark.req("INV11", "P6")
def test_a_reason_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who approves by HTTP must not change what an auditor reads in the history."""
    say(FORGED)
    table("", ["detail"], [[FORGED]])
    facts_table({"reason": FORGED})
    out = capsys.readouterr().out
    assert out.count("fine\\x1b[2Kno\\x9b1A \\u202eevil\\x00\\x07") == 3
    say("approved\rrejected")
    out += capsys.readouterr().out
    assert out.endswith("approved\\rrejected\n")
    assert all(letter.isprintable() or letter == "\n" for letter in out)


@pytest.mark.req("INV11")
def test_what_people_write_otherwise_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Other scripts, emoji that are joined, tabs and lines."""
    text = "grün\t日本 👩\u200d⚕️\nשלום"
    say(text)
    assert capsys.readouterr().out == text + "\n"

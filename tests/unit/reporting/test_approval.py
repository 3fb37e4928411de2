"""The page an approver reads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from switchover.errors import NotAuthorised
from switchover.machine.state import Approval, Vote
from switchover.plan.approvals import Approvals
from switchover.reporting.approval import (
    approval_markdown,
    recorded_markdown,
    refusal_markdown,
)

ASKED = Approval("a-1", 2, "f" * 64, 1_772_442_000.0, 1_772_445_600.0)
POLICY = Approvals(
    approvers=["ada", "chris"],
    roles={"clinical": ["dora", "eli"]},
    require={"clinical": 1},
    min_approvers=2,
)


@pytest.mark.req("P6")
def test_the_page_shows_who_until_when_and_the_evidence(reading: dict[str, Any]) -> None:
    """An approver reads what they allow, by when, and on which numbers."""
    page = approval_markdown("Mood", "canary 25 %", POLICY, ASKED, reading)
    for part in (
        "# Approve canary 25 %?",
        "Approvers: ada, chris, dora (clinical), eli (clinical)",
        "open until 2026-03-02 10:00 UTC",
        "24 h after it was asked",
        "`a-1`",
        "`ffffffffffff`",
        "**Verdict: hold.**",
        "4.12 % bad",
    ):
        assert part in page
    assert "No gates judged" in approval_markdown("Mood", "canary 25 %", POLICY, ASKED, {})


@pytest.mark.req("P6")
def test_the_page_shows_who_approved_and_who_is_missing() -> None:
    """The second approver sees that the first did, how they were known, and whom it needs yet."""
    vote = Vote("ada", 1_772_442_060.0, "cli", "code", "fine <b>for me</b>")
    page = approval_markdown("Mood", "canary", POLICY, replace(ASKED, votes=(vote,)), {})
    assert "| ada | 2026-03-02 09:01 | approval code | fine &lt;b&gt;for me&lt;/b&gt; |" in page
    assert "- Still missing: 1 of clinical (dora, eli)\n" in page
    assert "Approved by" not in approval_markdown("Mood", "canary", POLICY, ASKED, {})


@pytest.mark.req("P6")
def test_the_page_names_who_may_not_and_what_can_not_be_undone() -> None:
    """Whoever started is no approver; a point of no return is told before it is passed."""
    page = approval_markdown(
        "Mood", "canary", POLICY, ASKED, {}, starter="eli", warning="No way back."
    )
    assert "> **No way back.**" in page
    assert "dora (clinical); not eli, who started" in page
    assert "1 of clinical (dora); 1 more of ada, chris, dora" in page
    assert "not carl" not in approval_markdown("Mood", "c", POLICY, ASKED, {}, starter="carl")


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    "typed",
    [
        "[confirm here](https://evil.example)",
        "![](https://evil.example/seen.png)",
        "<img src=x onerror=alert(1)>",
        "x\n\n# Your code goes to https://evil.example",
        "`x` **Approved by all** \\[a](b)",
    ],
)
def test_what_people_typed_is_shown_and_does_nothing(typed: str) -> None:
    """Anybody who reaches Prefect can type a name; the next approver types a code below it."""
    vote = Vote("ada", 1_772_442_060.0, "cli", "trusted", typed)
    voted = replace(ASKED, votes=(vote,))
    page = approval_markdown("Mood", "canary", POLICY, voted, {}, starter=typed)
    [row] = [line for line in page.splitlines() if line.startswith("| ada |")]
    refusal = refusal_markdown(NotAuthorised(f"{typed} may not approve this")).strip()
    for text in (row, refusal.removeprefix("**Not accepted:** ")):
        assert "\n" not in text
        assert not re.search(r"(?<!\\)(\\\\)*[\[`*<]", text), text
    assert "The approval of ada is recorded" in recorded_markdown(voted)

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.errors import InputError
from switchover.incidents.approval_request import approval_request
from switchover.ports import Entry

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ASKED = ("approval_requested", {"id": "a-1", "stage": 2, "expires_at": 9.0, "reading": {"n": 1}})
VOTED = ("approval_voted", {"id": "a-1", "approver": "ada"})


def decided(status: str, approver: str = "", reason: str = "") -> tuple[str, dict[str, Any]]:
    """The entry that ends the request a-1."""
    said = {"status": status, "approver": approver, "reason": reason, "via": "cli"}
    return "approval_decided", {"id": "a-1", **said}


def entries(*events: tuple[str, dict[str, Any]]) -> list[Entry]:
    return [
        Entry("demo", number, NOW, "t", kind, payload, "", "")
        for number, (kind, payload) in enumerate(events, 1)
    ]


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("events", "status", "sentence"),
    [
        ([], "pending", ""),
        ([VOTED], "pending", ""),
        ([VOTED, decided("approved", "bo", "fine")], "approved", "Approved by ada, bo (cli): fine"),
        ([decided("rejected", "bo")], "rejected", "Rejected by bo (cli)"),
        ([decided("void", reason="it turned")], "void", "Void: it turned."),
        ([decided("expired")], "expired", "Expired."),
        ([("rolled_back", {})], "ended", "Nothing is left to decide"),
        ([("aborted", {})], "ended", "Nothing is left to decide"),
        # What comes after the end is another request's or another attempt's.
        ([decided("rejected", "bo"), ("rolled_back", {})], "rejected", "Rejected by bo"),
        ([("approval_decided", {"id": "a-2", "status": "approved"})], "pending", ""),
        ([("approval_voted", {"id": "a-2", "approver": "bo"})], "pending", ""),
        ([("held", {}), ("noted", {"text": "x"})], "pending", ""),
    ],
)
def test_a_request_is_told_as_the_ledger_has_it(
    events: list[tuple[str, dict[str, Any]]], status: str, sentence: str
) -> None:
    """Every way to end, and nothing that is about another request."""
    before = ("approval_requested", {**ASKED[1], "id": "a-0", "stage": 1})
    found = approval_request(entries(before, ASKED, *events), "a-1")
    assert (found.id, found.stage, found.reading) == ("a-1", 2, {"n": 1})
    assert found.status == status
    assert found.sentence.startswith(sentence)
    assert bool(found.sentence) == (status != "pending")


@pytest.mark.req("P6")
def test_a_request_that_never_was_is_bad_input() -> None:
    """And a vote for it makes none."""
    with pytest.raises(InputError, match="a-1"):
        approval_request(entries(VOTED), "a-1")

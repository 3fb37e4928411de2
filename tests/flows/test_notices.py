"""Notices and reviews as runs of their own."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

STAKEHOLDERS = {"stakeholders": [{"name": "clinical", "slack_channel": "#clinical"}]}


@pytest.mark.req("K7", "P14")
def test_a_stakeholder_is_told_once_a_day_and_nothing_is_reviewed_too_early(journey: Any) -> None:
    """The text is an artifact and a note in the ledger; a second run tells nobody again."""
    journey.start(notify=STAKEHOLDERS)
    who = {"stakeholder": "clinical"}
    runs = [journey.run("notice/notice", **who), journey.here("notice", **who)]
    assert [(kind, message) for kind, _, message in runs] == [
        ("COMPLETED", "told clinical"),
        ("COMPLETED", "clinical was told today already"),
    ]
    [note] = journey.entries("noted")
    assert "the candidate serves 0 %" in note.payload["text"]
    assert "the candidate serves 0 %" in journey.artifacts()["notice-clinical"]["data"]
    kind, _, message = journey.here("review")
    assert (kind, message) == (
        "COMPLETED",
        f"nothing to review: {journey.migration} is not complete",
    )

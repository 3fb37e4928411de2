from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from switchover.errors import InputError
from switchover.incidents.slack_blocks import approval_blocks
from switchover.incidents.slack_decision import APPROVE, REASON, REJECT, read_click
from switchover.testing.slack_click import click_payload


def message(**changes: Any) -> dict[str, Any]:
    blocks = approval_blocks(
        **{
            "migration": "mood", "title": "Mood", "stage": "canary 25 %", "request": "mood-1",
            "expires_at": 1_772_442_000.0, "approvers": ["ada", "bo"],
            "reading": {"sentence": "all gates hold"}, "buttons": True, **changes,
        }
    )  # fmt: skip
    return {"ts": "1.0", "channel": "C1", "blocks": blocks}


@pytest.mark.req("P6")
def test_the_message_is_valid_block_kit() -> None:
    """By the models of Slack's SDK: lengths, styles and dialogs."""
    for block in Block.parse_all(message(stage="s" * 500)["blocks"]):
        assert block is not None
        block.validate_json()


@pytest.mark.req("P6")
@pytest.mark.parametrize(("action", "decision"), [(APPROVE, "approve"), (REJECT, "reject")])
def test_a_click_reads_back_what_the_message_asked(action: str, decision: str) -> None:
    """Decision, request, person and reason make the way through Slack and back."""
    payload = click_payload(message(), action, "U1", "looks good", "https://hooks.slack.com/x")
    click = read_click(json.loads(json.dumps(payload)))
    assert click is not None
    assert (click.decision, click.migration, click.approval) == (decision, "mood", "mood-1")
    assert (click.user, click.reason) == ("U1", "looks good")
    assert click.answer_url == "https://hooks.slack.com/x"


@pytest.mark.req("P6")
def test_both_buttons_ask_once_more() -> None:
    """A slip of the thumb decides nothing."""
    (actions,) = [b for b in message()["blocks"] if b["type"] == "actions"]
    for button in actions["elements"]:
        assert "mood" in button["confirm"]["text"]["text"]
    assert [b["block_id"] for b in message()["blocks"] if b["type"] == "input"] == [REASON]


@pytest.mark.req("P6")
def test_a_settled_request_has_no_buttons_and_says_how_it_ended() -> None:
    """Nobody is asked for what is decided."""
    said = json.dumps(message(settled="Approved by ada (slack)")["blocks"])
    assert "Approved by ada (slack)" in said
    assert "Approval settled" in said
    assert APPROVE not in said
    assert "switchover approve" not in said


@pytest.mark.req("P6")
def test_an_incomplete_quorum_is_shown() -> None:
    """Who approved, and what is still wanted."""
    said = json.dumps(message(voters=["ada"], missing=["1 more of bo"])["blocks"])
    assert "Approved so far" in said
    assert "1 more of bo" in said
    assert "Still wanted" not in json.dumps(message()["blocks"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["type", "actions", "action_id", "value", "user", "id", "state", "x"]),
        inner | st.sampled_from(["block_actions", APPROVE]),
    ),
)  # fmt: skip


@pytest.mark.req("P6")
@given(JSON)
def test_whatever_comes_is_a_click_or_no_click_or_bad_input(payload: Any) -> None:
    """Nothing that is signed can make reading it fail in another way."""
    given_type = {**payload, "type": "block_actions"} if isinstance(payload, dict) else payload
    try:
        click = read_click(given_type)
    except InputError:
        return
    assert click is None or click.decision in ("approve", "reject")

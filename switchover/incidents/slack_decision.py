"""Buttons of messages: how they are written, and how a click is read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from switchover.errors import InputError

APPROVE, REJECT = "switchover_approve", "switchover_reject"
ACKNOWLEDGE = "switchover_acknowledge"
REASON = "switchover_reason"
#: Longest reason, in characters.
MAX_REASON = 1000

Wish = Literal["approve", "reject", "acknowledge"]
_DECISIONS: Mapping[str, Wish] = {
    APPROVE: "approve", REJECT: "reject", ACKNOWLEDGE: "acknowledge",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Click:
    """What somebody decided by a button: on ``approval``, or to look after ``incident``.
    ``answer_url`` is where Slack takes an answer to them."""

    user: str
    decision: Wish
    migration: str
    approval: str
    reason: str
    answer_url: str
    incident: str = ""


def decision_blocks(migration: str, approval: str, stage: str) -> list[dict[str, Any]]:
    """A field for the reason and two buttons that ask once more."""
    value = json.dumps({"migration": migration, "approval": approval})
    return [
        {
            "type": "input",
            "block_id": REASON,
            "optional": True,
            "label": _plain("Reason"),
            "element": {
                "type": "plain_text_input", "action_id": REASON, "max_length": MAX_REASON,
                "placeholder": _plain("It goes into the record."),
            },
        },
        {
            "type": "actions",
            "elements": [
                _button(APPROVE, "Approve", "primary", value, f"{migration}: begin {stage}?"),
                _button(REJECT, "Reject", "danger", value, f"{migration}: hold before {stage}?"),
            ],
        },
    ]  # fmt: skip


def acknowledge_blocks(migration: str, incident: str) -> list[dict[str, Any]]:
    """A button by which somebody says that they look after the incident."""
    value = json.dumps({"migration": migration, "incident": incident})
    question = f"{migration}: your name goes into the record."
    button = _button(ACKNOWLEDGE, "I look after it", "primary", value, question)
    return [{"type": "actions", "elements": [button]}]


def read_click(payload: Any) -> Click | None:
    """A click on one of these buttons; None for any other interaction.

    Raises ``InputError`` for what claims to be one and is not.
    """
    if not isinstance(payload, dict) or payload.get("type") != "block_actions":
        return None
    try:
        actions = [a for a in payload["actions"] if a["action_id"] in _DECISIONS]
        if not actions:
            return None
        value = json.loads(actions[0]["value"])
        about = "incident" if actions[0]["action_id"] == ACKNOWLEDGE else "approval"
        typed = (payload.get("state") or {}).get("values", {})
        reason = (typed.get(REASON) or {}).get(REASON, {}).get("value") or ""
        return Click(
            user=str(payload["user"]["id"]),
            decision=_DECISIONS[actions[0]["action_id"]],
            migration=str(value["migration"]),
            approval=str(value["approval"]) if about == "approval" else "",
            reason=str(reason)[:MAX_REASON],
            answer_url=str(payload.get("response_url") or ""),
            incident=str(value["incident"]) if about == "incident" else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("this is no interaction with a message of ours") from error


def _button(action: str, text: str, style: str, value: str, question: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action,
        "text": _plain(text),
        "style": style,
        "value": value,
        "confirm": {
            "title": _plain(f"{text}?"),
            "text": _plain(question[:300]),
            "confirm": _plain(text),
            "deny": _plain("Back"),
        },
    }


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}

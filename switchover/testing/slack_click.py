"""A click on a message's button, as Slack sends it to an app: signed, with what was typed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request


@dataclass(frozen=True, slots=True)
class SlackClick:
    """A request to an app's interactivity address. ``body`` is what its signature covers."""

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> Request:
        """For ``urllib.request.urlopen``."""
        return Request(self.url, self.body, self.headers, method="POST")


def signed_click(url: str, secret: str, payload: Any, at: float | None = None) -> SlackClick:
    """The request with ``payload``, signed at the Unix time ``at`` (default: now).

    The signature is made by Slack's own SDK.
    """
    from slack_sdk.signature import SignatureVerifier

    timestamp = str(int(time.time() if at is None else at))
    body = urlencode({"payload": json.dumps(payload)})
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": str(signature),
    }
    return SlackClick(url, body.encode(), headers)


def click_payload(
    message: Mapping[str, Any], action: str, user: str, reason: str, answer_url: str
) -> dict[str, Any]:
    """What Slack tells about a click: only buttons and fields that the message has count."""
    elements = [e for block in message["blocks"] for e in block.get("elements", [])]
    button = next((e for e in elements if e.get("action_id") == action), None)
    if button is None:
        raise LookupError(f"the message has no button {action}")
    typed = {
        block["block_id"]: {
            block["element"]["action_id"]: {
                "type": block["element"]["type"], "value": reason or None,
            }
        }
        for block in message["blocks"]
        if block["type"] == "input"
    }  # fmt: skip
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "somebody", "team_id": "T0000"},
        "api_app_id": "A0000",
        "container": {"type": "message", "message_ts": message["ts"]},
        "channel": {"id": message["channel"]},
        "message": dict(message),
        "state": {"values": typed},
        "response_url": answer_url,
        "actions": [
            {"type": "button", "action_id": action, "value": button["value"], "action_ts": "1.0"}
        ],
    }

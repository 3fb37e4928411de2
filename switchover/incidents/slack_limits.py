"""Slack's limits on messages, kept: what is too long is cut and says where the rest is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from switchover.incidents.redaction import redact

#: Slack's limits, in characters and blocks (reference of Block Kit).
MAX_TEXT = 4000
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_FIELD = 2000
MAX_BLOCKS = 50
MAX_LABEL, MAX_PLACEHOLDER = 2000, 150
MAX_ID, MAX_VALUE, MAX_BUTTON = 255, 2000, 75
#: A dialog that asks once more: title, text, and its two buttons.
MAX_CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
_MOST = {"fields": 10, "context": 10, "actions": 25}
CUT = "… full text in the incident"

Block = dict[str, Any]


def clip(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, saying so where it was cut."""
    if len(text) <= limit:
        return text
    kept = text[: max(0, limit - len(CUT))]
    return (re.sub(r"&\w{0,4}$", "", kept) + CUT)[:limit]


def fit(blocks: Sequence[Mapping[str, Any]]) -> list[Block]:
    """The blocks within Slack's limits, redacted; what is cut off says where to read on."""
    kept = [_fit_block(block) for block in blocks]
    if len(kept) > MAX_BLOCKS:
        rest = {"type": "context", "elements": [{"type": "mrkdwn", "text": CUT}]}
        kept = [*kept[: MAX_BLOCKS - 1], rest]
    return kept


def _fit_block(block: Mapping[str, Any]) -> Block:
    fitted, kind = dict(block), str(block.get("type", ""))
    limits = {"text": MAX_HEADER if kind == "header" else MAX_SECTION, "label": MAX_LABEL}
    for name, limit in limits.items():
        if isinstance(block.get(name), Mapping):
            fitted[name] = _fit_text(block[name], limit)
    for name in ("fields", "elements"):
        if isinstance(block.get(name), Sequence):
            most = _MOST.get(kind if name == "elements" else name, 10)
            fitted[name] = [_fit_element(part) for part in block[name][:most]]
    if isinstance(block.get("element"), Mapping):
        fitted["element"] = _fit_element(block["element"])
    if "block_id" in block:
        fitted["block_id"] = str(block["block_id"])[:MAX_ID]
    return fitted


def _fit_element(element: Mapping[str, Any]) -> Block:
    """A text in a list of texts, a button, or a field to type in."""
    if isinstance(element.get("text"), str):
        return _fit_text(element, MAX_FIELD)
    fitted = dict(element)
    for name, limit in (("text", MAX_BUTTON), ("placeholder", MAX_PLACEHOLDER)):
        if isinstance(element.get(name), Mapping):
            fitted[name] = _fit_text(element[name], limit)
    for name, most in (("action_id", MAX_ID), ("value", MAX_VALUE)):
        if name in element:
            fitted[name] = str(element[name])[:most]
    if isinstance(element.get("confirm"), Mapping):
        fitted["confirm"] = {
            name: _fit_text(part, MAX_CONFIRM.get(name, MAX_FIELD)) if name in MAX_CONFIRM else part
            for name, part in element["confirm"].items()
        }
    return fitted


def _fit_text(text: Mapping[str, Any], limit: int) -> Block:
    # Slack refuses a text that is empty.
    return {**text, "text": clip(redact(str(text["text"])), limit) or "-"}

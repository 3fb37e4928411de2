"""Take secrets out of text that leaves for Slack or for a file under version control."""

from __future__ import annotations

import re
from typing import Any

_HIDDEN = "[redacted]"
# None starts with a repetition: that would take quadratic time on long text.
_PATTERNS = (
    # user:password@ in any URL; the user name goes too, as it may be a token
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|authorization:\s*basic)\s+[\w.~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), _HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}"), _HIDDEN),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
            r"[^\s\"'&,;]{3,}"
        ),
        rf"\1{_HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """``text`` without tokens, passwords and credentials in addresses; the rest is untouched."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_all(document: Any) -> Any:
    """Plain JSON with every text in it redacted; keys stay."""
    if isinstance(document, str):
        return redact(document)
    if isinstance(document, dict):
        return {key: redact_all(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [redact_all(each) for each in document]
    return document

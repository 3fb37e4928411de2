"""Secrets of the environment, taken out of what a command printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET_NAME = re.compile(
    r"(secret|token|passw|pwd|key|credential|auth|dsn|_url$|_uri$|database|cookie)", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@", re.IGNORECASE)
#: Shorter values are words like "1" or "on": hiding them would black out the text.
_SHORTEST = 6


def redact(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with the values of secret-looking variables, and passwords in URLs, as ``***``."""
    values = {
        value
        for name, value in environ.items()
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name)
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return _URL_PASSWORD.sub(r"\1***@", text)

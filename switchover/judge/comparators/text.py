"""Text but for differences that nobody reads: spaces, case, ways to write one character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

_SPACES = re.compile(r"\s+")


def _unicode(value: str) -> str:
    return unicodedata.normalize("NFC", value)


#: What each normaliser does, in the order in which they are applied.
NORMALISERS: dict[str, Callable[[str], str]] = {
    "unicode": _unicode,
    "casefold": lambda value: _unicode(value.casefold()),
    "whitespace": lambda value: _SPACES.sub(" ", value),
    "trim": str.strip,
}


def text(normalise: Sequence[str] = ()) -> Callable[[Any, Any], str | None]:
    """Text that is the same once both sides went through the normalisers.

    ``unicode`` composes characters (NFC), ``casefold`` forgets upper and lower case,
    ``whitespace`` makes one space of every run, ``trim`` drops it at both ends. Raises
    ``ValueError`` for an unknown one, or for none.
    """
    if isinstance(normalise, str) or not normalise:
        raise ValueError(f"text needs normalise, a list of {', '.join(sorted(NORMALISERS))}")
    unknown = [name for name in normalise if name not in NORMALISERS]
    if unknown:
        known = ", ".join(sorted(NORMALISERS))
        raise ValueError(f"unknown normaliser {unknown[0]!r}; one of {known}")
    steps = [step for name, step in NORMALISERS.items() if name in normalise]

    def normal(value: str) -> str:
        for step in steps:
            value = step(value)
        return value

    def compare(legacy: Any, candidate: Any) -> str | None:
        if not isinstance(legacy, str) or not isinstance(candidate, str):
            return None if legacy is None and candidate is None else "is not text on both sides"
        if legacy == candidate or normal(legacy) == normal(candidate):
            return None
        return "differs"

    return compare

"""What of a disagreement may leave the application: no redacted value, and nothing huge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from switchover.judge.path import ANY, Step, parse

#: What stands for a redacted value.
REDACTED = "[redacted]"

_TEXT, _ITEMS, _LEVELS, _BITS = 200, 20, 4, 256

#: Steps of a path -> the steps that may be told, and whether the values are hidden.
Redaction = Callable[[tuple[Step, ...]], tuple[tuple[Step, ...], bool]]


def redaction(paths: Iterable[str]) -> Redaction:
    """The redaction of some paths: of each, of what holds it, and of all below.

    The names of fields below a redacted path are hidden with it: a name may be the secret.
    An index stands for every index. Raises ``ValueError`` for what is no path.
    """
    hidden = tuple(
        tuple(ANY if isinstance(step, int) else step for step in parse(path)) for path in paths
    )

    def apply(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], bool]:
        touching = [path for path in hidden if _touches(path, steps)]
        if not touching:
            return steps, False
        shortest = min(touching, key=len)
        told = tuple(
            ANY if wanted == ANY and isinstance(step, str) else step
            for wanted, step in zip(shortest, steps, strict=False)
        )
        return told, True

    return apply


def _touches(redacted: tuple[Step, ...], steps: tuple[Step, ...]) -> bool:
    """Whether a difference at ``steps`` shows something of a redacted path: above or below it."""
    return all(ours in (theirs, ANY) for ours, theirs in zip(redacted, steps, strict=False))


def brief(value: Any, levels: int = _LEVELS) -> Any:
    """``value`` short enough to look at: long text, lists and objects are cut, and say so."""
    if isinstance(value, str):
        more = len(value) - _TEXT
        return value if more <= 0 else f"{value[:_TEXT]}… and {more} characters"
    if isinstance(value, list | dict) and value and levels == 0:
        return f"… {len(value)} more inside"
    if isinstance(value, list):
        items = [brief(item, levels - 1) for item in value[:_ITEMS]]
        more = len(value) - _ITEMS
        return items if more <= 0 else [*items, f"… and {more} more"]
    if isinstance(value, dict):
        names = list(value)
        part = {brief(str(name)): brief(value[name], levels - 1) for name in names[:_ITEMS]}
        more = len(names) - _ITEMS
        return part if more <= 0 else {**part, "…": f"and {more} more"}
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no number for it.
        return str(value)
    if value is None or isinstance(value, int | float):
        return value
    return brief(str(value))

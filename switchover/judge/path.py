"""Paths into JSON documents: ``a.b[0].c``, ``a[*].b``, ``a["dotted.name"]``, ``*`` for any."""

from __future__ import annotations

import re
from collections.abc import Callable

#: Stands for every key of an object or every item of a list.
ANY = "*"

Step = str | int

_STEP = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""", re.DOTALL)
_INDEX = re.compile(r"""("(?:[^"\\]|\\.)*")|\[\d+\]""", re.DOTALL)


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path; a leading ``$`` or ``$.`` is allowed. Raises ``ValueError``."""
    text = path[1:].removeprefix(".") if path == "$" or path.startswith(("$.", "$[")) else path
    steps: list[Step] = []
    place = 0
    while place < len(text):
        match = _STEP.match(text, place)
        joined = place == 0 or text[place] in ".["
        if match is None or not joined or (place == 0 and text[0] == "."):
            raise ValueError(
                f"path {path!r} can't be read from {text[place:]!r} on; write a.b[0].c or a[*].b"
            )
        name, index, quoted = match.groups()
        if name is not None:
            steps.append(name)
        elif index is not None:
            steps.append(ANY if index == ANY else int(index))
        else:
            steps.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        place = match.end()
    if not steps and path != "$":
        raise ValueError("an empty path; write a.b[0].c, or $ for the whole answer")
    return tuple(steps)


def spell(steps: tuple[Step, ...]) -> str:
    """The path of some steps; :func:`parse` reads it back."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r'[^.\[\]"]+', step) and (text or not step.startswith("$")):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text or "$"


def reach(path: str) -> Callable[[object], object]:
    """What finds the value at ``path`` in a document; it gives None where there is none.

    Raises ``ValueError`` for what is no path, or for one with a wildcard.
    """
    steps = parse(path)
    if ANY in steps:
        raise ValueError(f"path {path!r} has a wildcard, and must lead to one value")
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda value: value.get(name) if isinstance(value, dict) else None

    def find(value: object) -> object:
        for step in steps:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    return find


def general(path: str) -> str:
    """The path with every index of a list as ``[*]``: the field, whichever item it was."""
    return _INDEX.sub(lambda match: match[1] or "[*]", path)

"""Paths into JSON documents: ``a.b[0].c``, ``a[*].b``, ``a["dotted.name"]``, ``*`` for any."""

from __future__ import annotations

import re

#: Stands for every key of an object or every item of a list.
ANY = "*"

Step = str | int

_STEP = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""", re.DOTALL)


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

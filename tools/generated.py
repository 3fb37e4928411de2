"""Pages that are written from code: write them anew, or say that they are not current."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def keep(file: Path, text: str, arguments: Sequence[str], module: str) -> int:
    """Write ``text`` to ``file``, or with ``--check`` say whether it is current (0) or not (1).

    ``module`` is what has to be run then.
    """
    if "--check" in arguments:
        if file.is_file() and file.read_text("utf-8") == text:
            return 0
        print(f"{file}: not current; run python -m {module}", file=sys.stderr)
        return 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return 0

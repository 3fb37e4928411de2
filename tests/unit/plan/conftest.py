from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PLAN = """\
switchover: 1
migration: shop
title: Shop 1 to 2
systems:
  legacy: {version: "1.0", url: "http://127.0.0.1:8001"}
  candidate: {version: "2.0", url: "http://127.0.0.1:8002"}
request_key: {field: customer}
stages:
  - {kind: shadow, bake: 1h}
  - {kind: canary, percent: 10, bake: 2h}
  - {kind: canary, percent: 100, bake: 3h}
gates:
  - {metric: success_rate, at_least: 99%}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a plan into a directory of its own, which becomes the current one.

    ``write(("old", "new"), ...)`` replaces parts of a small good plan, ``add`` is appended,
    ``text`` stands for the whole; gives the file's bare name.
    """
    monkeypatch.chdir(tmp_path)

    def make(
        *changes: tuple[str, str], add: str = "", text: str | bytes = PLAN, name: str = "plan.yaml"
    ) -> Path:
        if isinstance(text, str):
            for old, new in changes:
                assert old in text, f"{old!r} is not in the plan"
                text = text.replace(old, new, 1)
            text = (text + add).encode()
        Path(name).write_bytes(text)
        return Path(name)

    return make

"""The stack notices a part that has ended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchover.testing.embedded.stack import Stack


class Part:
    """A server that can die and be started again."""

    def __init__(self, name: str) -> None:
        self.process: Any = SimpleNamespace(name=name, running=True)
        self.calls: list[str] = []

    def stop(self) -> None:
        self.calls.append("stop")

    def start(self) -> None:
        self.calls.append("start")
        self.process.running = True


@pytest.mark.req("INV4")
def test_only_parts_that_ended_are_started_again(tmp_path: Path) -> None:
    """The dead one is freed and started, and a second look finds all well."""
    stack: Any = Stack(tmp_path, root=tmp_path)
    parts = {name: Part(name) for name in ("valkey", "postgres", "server", "worker")}
    for name, part in parts.items():
        setattr(stack, name, part)
    parts["worker"].process.running = False
    assert stack.revive() == ["worker"]
    assert parts["worker"].calls == ["stop", "start"]
    assert stack.revive() == []
    assert [part.calls for name, part in parts.items() if name != "worker"] == [[], [], []]

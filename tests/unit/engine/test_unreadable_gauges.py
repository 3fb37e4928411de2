"""Gauges that can't be read are no evidence, however regularly they arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.monitor import look
from switchover.engine.status import why
from switchover.judge.sketch import HIGHEST

GATES = [{"metric": "memory_usage_delta", "at_most": "20%"}]


def gauge(world: Any, system: str, size: float, unread: int) -> None:
    """Twelve readings of the last minute, of which some can't be told."""
    block = world.block("memory_usage_delta", system, 12, value=size)
    sketch = {**block.sketch, HIGHEST: unread}
    sketch[min(sketch)] -= unread
    world.stream.add(replace(block, sketch=sketch, total=size * (12 - unread)))


def watched(world: Any, since: int, unread: dict[str, int]) -> None:
    """80 minutes of equal memory, some readings unreadable from minute ``since`` on."""
    world.start(gates=GATES)
    world.work()
    world.step()
    for minute in range(80):
        world.wait(1 / 60)
        for system in ("candidate", "legacy"):
            gauge(world, system, 100.0 + minute % 3, unread.get(system, 0) * (minute >= since))
        look(world.context, "demo", actor="monitor")


@pytest.mark.req("INV6")
@pytest.mark.parametrize("system", ["candidate", "legacy"])
@pytest.mark.parametrize("unread", [3, 12])
def test_a_gauge_that_becomes_unreadable_holds(world: Any, system: str, unread: int) -> None:
    """After 40 good minutes the gate passes; a quarter of an hour after one system's gauge can't be
    read any more nothing is promoted, and people are told whose it is."""
    watched(world, 40, {system: unread})
    assert not world.step().did
    said = why(world.context, "demo")["sentence"]
    assert f"no evidence of {system} memory_usage_delta" in said


@pytest.mark.req("INV6")
def test_a_reading_in_twelve_that_cannot_be_told_is_no_silence(world: Any) -> None:
    """A few are left out of the mean, and the stage goes on."""
    watched(world, 40, {"candidate": 1, "legacy": 1})
    assert world.step().did

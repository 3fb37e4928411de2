"""Where guards are wanted, people hear that none watches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.context import Context
from switchover.engine.unwatched import tell_unwatched
from switchover.machine.event import Noted
from switchover.ports.guards import GuardBeat
from switchover.testing.guards import InMemoryGuards


@pytest.fixture
def guarded(world: Any) -> Context:
    """A migration whose candidate serves, for an operator who wants two guards."""
    world.start(notify={"slack_channel": "#ops"})
    world.to_canary()
    return replace(world.context, guards=InMemoryGuards(world.context.clock, wanted=2))


def told(world: Any) -> list[str]:
    notes = [entry.payload for entry in world.ledger.entries("demo") if entry.kind == Noted.kind]
    return [note["text"] for note in notes if note["topic"].startswith("no guard")]


@pytest.mark.req("R3")
def test_people_hear_once_that_no_guard_watches(world: Any, guarded: Context) -> None:
    """It is on record and in the channel, and the next sweep says nothing."""
    assert tell_unwatched(guarded, actor="monitor") == ["demo"]
    assert tell_unwatched(guarded, actor="monitor") == []
    [text] = told(world)
    assert "no guard watches it" in text
    keys = [row["key"] for row in world.ledger.effects("demo") if row["kind"] == "notice"]
    assert sum("no guard" in key for key in keys) == 1


@pytest.mark.req("R3")
def test_one_guard_that_judges_is_enough_to_say_nothing(world: Any, guarded: Context) -> None:
    """One that can't judge, or watches others only, is none."""
    assert guarded.guards is not None
    guarded.guards.say(GuardBeat("a:1", 1.0, 0.1, 1))
    assert tell_unwatched(guarded, actor="monitor") == []
    guarded.guards.say(GuardBeat("a:1", 1.0, 0.1, 1, names=("other",)))
    guarded.guards.say(GuardBeat("a:2", 1.0, 0.1, 0, trouble="no database"))
    assert tell_unwatched(guarded, actor="monitor") == ["demo"]


@pytest.mark.req("R3")
def test_who_wants_no_guards_hears_nothing(world: Any, guarded: Context) -> None:
    """Nor does anybody before the candidate serves."""
    assert guarded.guards is not None
    careless = replace(guarded, guards=InMemoryGuards(world.context.clock, wanted=0))
    assert tell_unwatched(careless, actor="monitor") == []
    world.start(migration="early", stages=[{"kind": "shadow", "bake": "1h"}])
    tell_unwatched(guarded, actor="monitor")
    assert tell_unwatched(guarded, actor="monitor") == []
    assert not any(entry.payload.get("topic", "").startswith("no guard")
                   for entry in world.ledger.entries("early"))  # fmt: skip

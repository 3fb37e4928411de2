"""Guard: what a resident process does every second, and what it says about it.

A guard decides nothing by itself: it calls the sweep that ``monitor`` calls every minute, with the
same judge, the same machine and the same way back. Several may run. The halt in routing is one
atomic step and the record a compare-and-set, so that one of them acts and the others see that it
is done. What it can't reach it can't judge by: it says so and goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from switchover.engine.advance import Outcome
from switchover.engine.context import Context
from switchover.engine.sweep import sweep
from switchover.errors import NoLedger, SwitchoverError
from switchover.ports.guards import GuardBeat

_log = logging.getLogger("switchover.guard")

#: Seconds from one sweep to the next, unless somebody says otherwise.
EVERY = 1.0
#: The part of that after which migrations are looked at again against which evidence builds.
SOON = 0.25
#: The least rest between two sweeps, as a part of that: one that takes long leaves room for others.
_REST = 0.1


@dataclass(frozen=True, slots=True)
class Patrol:
    """One sweep: how many ``looks``, the outcomes in which something was done, migrations that
    couldn't be looked at, and ``trouble`` when none could. ``uneasy`` are those against whose
    candidates evidence builds."""

    looks: int = 0
    acted: tuple[Outcome, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    took: float = 0.0
    uneasy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """One thing worth a line: ``acted``, ``noted`` (written down only), ``error``, ``trouble`` or
    ``recovered``."""

    event: str
    text: str
    migration: str = ""
    action: str = ""

    def to_dict(self) -> dict[str, str]:
        """For a line of JSON."""
        named = {"migration": self.migration, "action": self.action}
        kept = {name: value for name, value in named.items() if value}
        return {"event": self.event, **kept, "text": self.text}


def patrol(context: Context, *, actor: str, only: Collection[str] = ()) -> Patrol:
    """Sweep once. Never raises: a guard outlives whatever happens to what it asks."""
    began = time.monotonic()
    try:
        found = sweep(context, actor=actor, only=only)
    except NoLedger:
        return Patrol(took=time.monotonic() - began)  # nothing was started yet
    except SwitchoverError as error:
        return Patrol(trouble=str(error), took=time.monotonic() - began)
    except Exception as error:
        _log.exception("the sweep failed in an unforeseen way")
        trouble = f"a fault of Switchover itself: {type(error).__name__}: {error}"
        return Patrol(trouble=trouble, took=time.monotonic() - began)
    acted = tuple(outcome for outcome in found.looks.values() if outcome.did)
    uneasy = tuple(name for name, outcome in found.looks.items() if outcome.uneasy)
    return Patrol(len(found.looks), acted, found.errors, "", time.monotonic() - began, uneasy)


def rest(every: float, took: float) -> float:
    """Seconds until the next sweep, after one that took so long."""
    return max(every - took, _REST * every)


def news(before: Patrol, now: Patrol) -> list[News]:
    """What the later of two patrols brought: everything done, and troubles as they come and go,
    not once a second."""
    told = [
        News("noted" if out.action == "look" else "acted", out.sentence, out.migration, out.action)
        for out in now.acted
    ]
    if now.trouble:
        # The figures in a message may change from sweep to sweep; that something is wrong doesn't.
        return told if before.trouble else [*told, News("trouble", now.trouble)]
    if before.trouble:
        told.append(News("recovered", f"{now.looks} migrations are looked at again"))
    new = [(name, text) for name, text in now.errors.items() if name not in before.errors]
    gone = [name for name in before.errors if name not in now.errors]
    told += [News("error", text, name) for name, text in new]
    return told + [News("recovered", "it is looked at again", name) for name in gone]


def say_alive(
    context: Context, guard: str, every: float, names: Sequence[str], done: Patrol
) -> str:
    """Tell Redis that the guard lives; gives why that can't be told, empty when it was."""
    if context.guards is None:
        return ""
    beat = GuardBeat(guard, every, done.took, done.looks, tuple(names), done.trouble)
    try:
        context.guards.say(beat)
    except SwitchoverError as error:
        return str(error)
    return ""

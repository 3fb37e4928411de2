"""End each of several migrations, those of a group or all; one that can't be stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.context import Context
from switchover.engine.fleet import Fleet
from switchover.engine.reconcile import reconcile
from switchover.errors import DependencyUnavailable, InputError, SwitchoverError
from switchover.machine.state import TERMINAL, Phase

#: Exit code for a fault of our own, as of the command line.
_INTERNAL = 70


def members(context: Context, group: str) -> list[str]:
    """The names of a group's migrations; raises ``InputError`` for an unknown group."""
    fleet = Fleet(context.ledger)
    found = [state.migration for state in fleet.groups.get(group, ())]
    if not found:
        known = ", ".join(sorted(fleet.groups)) or "none yet"
        raise InputError(f"no migration was started in a group {group!r}; groups: {known}")
    return found


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one migration of several: ``done``, ``already`` or ``failed``."""

    migration: str
    outcome: str
    sentence: str
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without the exit code."""
        return {"migration": self.migration, "outcome": self.outcome, "sentence": self.sentence}


def end_each(
    context: Context,
    migrations: Sequence[str],
    end: Callable[[str], str],
    ended: frozenset[Phase] = TERMINAL,
) -> Iterator[Ended]:
    """End every one with ``end``, which gives a sentence; one that can't be ended stops no other.
    Those in a phase of ``ended`` stay as they are, and routing is told what it may have missed."""
    for migration in migrations:
        try:
            phase = _phase(context, migration)
            if phase is not None and phase in ended:
                reconcile(context, migration)
                yield Ended(migration, "already", f"{phase.value.replace('_', ' ')} already")
            else:
                yield Ended(migration, "done", end(migration))
        except SwitchoverError as error:
            yield Ended(migration, "failed", str(error), error.exit_code)
        except Exception as error:
            # Such as a plan that an older version wrote and this one can't read.
            words = " ".join(str(error).split())[:300]
            yield Ended(migration, "failed", f"{type(error).__name__}: {words}", _INTERNAL)


def _phase(context: Context, migration: str) -> Phase | None:
    """The phase, None while the ledger is away: a rollback does without."""
    try:
        return context.open(migration).state.phase
    except DependencyUnavailable:
        return None

"""All migrations as one look at the ledger finds them: what one has to know of the others.

A sweep over many migrations shares one, so that its cost grows with their number and not with
the square of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar

from switchover.errors import InputError
from switchover.machine.state import State
from switchover.plan.load import restore_plan
from switchover.plan.stages import compile_stages
from switchover.plan.together import Member
from switchover.ports import Ledger, Record

T = TypeVar("T")

#: Members that are read at once.
_AT_ONCE = 100


class Fleet:
    """Reads each thing once, when it is first asked for."""

    def __init__(self, ledger: Ledger, states: Iterable[State] | None = None) -> None:
        self._ledger = ledger
        if states is not None:
            self.states = {state.migration: state for state in states}
        self._members: dict[str, Member] = {}
        self._known: dict[tuple[str, ...], Any] = {}
        # Batches of a sweep are looked at side by side, and would each read the same.
        self._lock = RLock()

    @cached_property
    def states(self) -> dict[str, State]:
        """Every migration by name."""
        return {state.migration: state for state in self._ledger.migrations()}

    @cached_property
    def groups(self) -> dict[str, list[State]]:
        """The migrations of each group by its name."""
        groups: defaultdict[str, list[State]] = defaultdict(list)
        for state in self.states.values():
            if state.group:
                groups[state.group].append(state)
        return dict(groups)

    @cached_property
    def drilled(self) -> tuple[float, str]:
        """When a rollback last reached all routers of some migration, and of which; they all
        share one routing store."""
        return max(((s.drilled, name) for name, s in self.states.items()), default=(0.0, ""))

    def once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """What ``make`` gives, made for this key only the first time."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            found: T = self._known[key]
        return found

    def member(self, migration: str) -> Member:
        """A migration's stages and what its plan says of others; no stages where this version
        can't read the plan any more, which must not blind those that move with it."""
        with self._lock:
            if migration not in self._members:
                self._members[migration] = _member(migration, self._ledger.read(migration))
            return self._members[migration]

    def gather(self, group: str) -> None:
        """Read the members of a group in few round trips, so that it may be large."""
        names = [state.migration for state in self.groups.get(group, ())]
        with self._lock:
            wanted = [name for name in names if name not in self._members]
            for start in range(0, len(wanted), _AT_ONCE):
                found = self._ledger.standings(wanted[start : start + _AT_ONCE])
                for name, standing in found.items():
                    self._members[name] = _member(name, standing.record)


def _member(migration: str, record: Record) -> Member:
    try:
        plan = restore_plan(record.plan.document)
    except InputError:
        return Member(migration, (), None)
    return Member(migration, compile_stages(plan), plan.group)

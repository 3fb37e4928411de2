"""Change a feature flag: into the ledger first, then to every router (T5, T9)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from switchover.engine.context import Case, Context, persist
from switchover.engine.project import project
from switchover.engine.reconcile import reconcile
from switchover.errors import InputError
from switchover.machine.event import Event, FlagsChanged
from switchover.machine.flag import NAME, Flag, check_flags, read_flags
from switchover.ports import Effect, Propagation

#: How long to wait for the routers to take a change, in seconds.
SPREAD = 5.0

Flags = dict[str, Flag]


@dataclass(frozen=True, slots=True)
class FlagOutcome:
    """What became of a change: whether there was one, and which routers go by it."""

    flags: Flags
    changed: bool
    epoch: int
    propagation: Propagation


def flags_of(case: Case) -> Flags:
    """The flags of a migration by name."""
    return read_flags(case.state.flags)


def find_flag(case: Case, name: str) -> Flag:
    """One flag; ``InputError`` with a suggestion where there is none of that name."""
    return _known(flags_of(case), name, case.state.migration)


def set_flag(
    context: Context, migration: str, name: str, changes: Mapping[str, Any], *,
    actor: str, reason: str, create: bool = False,
) -> FlagOutcome:  # fmt: skip
    """Give the flag ``name`` the fields in ``changes`` (see :class:`Flag`), leaving the others.

    With ``create`` the flag may be new; without, an unknown name is an ``InputError``, as a
    typing error must not look like a flag that was switched off. Doing it again changes
    nothing. Raises ``InputError`` where the result makes no sense.
    """

    def change(flags: Flags) -> Flags:
        new = create and name not in flags
        if new and not re.fullmatch(NAME, name):
            raise InputError(
                f"{name!r} can't be a flag's name; begin with a letter, and use letters, digits, "
                "dots, hyphens and underscores, 100 at most"
            )
        before = Flag(name) if new else _known(flags, name, migration)
        return flags | {name: replace(before, **changes)}

    return _change(context, migration, change, actor, reason)


def remove_flag(
    context: Context, migration: str, name: str, *, actor: str, reason: str
) -> FlagOutcome:
    """Forget the flag ``name``; ``InputError`` where another one requires it."""

    def change(flags: Flags) -> Flags:
        _known(flags, name, migration)
        return {other: flag for other, flag in flags.items() if other != name}

    return _change(context, migration, change, actor, reason)


def _change(
    context: Context, migration: str, change: Callable[[Flags], Flags], actor: str, reason: str
) -> FlagOutcome:
    reconcile(context, migration)
    written = False

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        nonlocal written
        flags = flags_of(case)
        try:
            wanted = change(flags)
            check_flags(wanted)
        except ValueError as error:
            raise InputError(f"{error}; nothing was changed") from error
        different = {name: _written(wanted.get(name)) for name in {*flags, *wanted}
                     if flags.get(name) != wanted.get(name)}  # fmt: skip
        written = bool(different)
        if not different:
            return None
        return FlagsChanged(at=context.timestamp, actor=actor, reason=reason, flags=different), ()

    case = persist(context, migration, make, actor=actor)
    project(case)
    spread = context.routing.wait_acknowledged(migration, case.state.epoch, SPREAD)
    return FlagOutcome(flags_of(case), written, case.state.epoch, spread)


def _written(flag: Flag | None) -> dict[str, Any] | None:
    return None if flag is None else replace(flag, version=0).to_dict()


def _known(flags: Flags, name: str, migration: str) -> Flag:
    if name in flags:
        return flags[name]
    guess = difflib.get_close_matches(name, flags, n=1)
    advice = f"did you mean {guess[0]!r}?" if guess else f"`switchover flags list {migration}`"
    raise InputError(f"{migration} has no flag {name!r}; {advice}")

"""Freeze: a person's stop of one migration or of all. It blocks steps forward and nothing else.

The stop is written first and then noted in the chain of every migration that is running. A step
that was decided before it was written loses to that note, and whoever reads the chain after the
note reads the stop after it too: once :func:`freeze` has returned, nothing goes forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from switchover.engine.context import Case, Context, persist
from switchover.errors import InputError, SwitchoverError
from switchover.machine.event import Event, Noted
from switchover.machine.state import TERMINAL
from switchover.plan.wall_clock import spoken_moment
from switchover.ports import ALL, Effect, Freeze

_UTC = ZoneInfo("UTC")


def freeze(
    context: Context, scope: str, *, actor: str, reason: str, until: datetime | None = None
) -> Freeze:
    """Stop ``scope``, a migration or ``ALL``, with those that are started later.

    The same stop again changes nothing, and notes what a crash kept from being noted. Raises
    ``InputError`` for an unknown migration, no reason, or an ``until`` that is over;
    ``SwitchoverError`` where the stop is on and could not be noted everywhere.
    """
    now = context.clock.now()
    if not reason.strip():
        raise InputError("a stop needs a reason, as everybody will ask for it; add --reason")
    if until is not None and until <= now:
        raise InputError(f"{spoken_moment(until, _UTC)} is over; give a later --until")
    if scope != ALL:
        context.ledger.read(scope)
    stop = context.ledger.freeze(Freeze(scope, reason, actor, now, until))
    _note(context, scope, "frozen", said(stop), stop.at, stop.actor)
    return stop


def unfreeze(context: Context, scope: str, *, actor: str) -> Freeze | None:
    """Lift the stop of ``scope``; gives it as it was lifted, perhaps before, and None where there
    never was one."""
    lifted = context.ledger.unfreeze(scope, at=context.clock.now(), actor=actor)
    if lifted is not None and lifted.lifted_at is not None:
        text = f"{lifted.lifted_by} lifted the stop of {_whom(scope)} ({lifted.reason})"
        _note(context, scope, "unfrozen", text, lifted.lifted_at, lifted.lifted_by)
    return lifted


def stops(case: Case) -> list[Freeze]:
    """The stops that hold for a migration now."""
    now = case.context.clock.now()
    return [stop for stop in case.context.ledger.freezes() if stop.holds(case.state.migration, now)]


def said(stop: Freeze, zone: ZoneInfo = _UTC) -> str:
    """The stop in a sentence, with what ends it."""
    end = "" if stop.until is None else f" until {spoken_moment(stop.until, zone)}"
    name = "--all" if stop.scope == ALL else stop.scope
    return (
        f"{_whom(stop.scope)} frozen by {stop.actor} since {spoken_moment(stop.at, zone)}{end}: "
        f"{stop.reason}; `switchover unfreeze {name}` lifts it"
    )


def _whom(scope: str) -> str:
    return "all migrations" if scope == ALL else scope


def _note(context: Context, scope: str, topic: str, text: str, at: datetime, actor: str) -> None:
    """Write it into the chain of every migration in the scope that has not ended, once."""
    noted = Noted(at=at.timestamp(), topic=topic, text=text)

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        return None if case.state.phase in TERMINAL or _is_noted(case, noted) else (noted, ())

    failed: dict[str, SwitchoverError] = {}
    for state in context.ledger.migrations():
        if scope in (ALL, state.migration) and state.phase not in TERMINAL:
            try:
                persist(context, state.migration, make, actor=actor)
            except SwitchoverError as error:
                # A chain that takes no entry now leaves no other without its own.
                failed[state.migration] = error
    if failed:
        first = next(iter(failed.values()))
        unfinished = SwitchoverError(
            f"{text}; that holds, but is not in the history of {', '.join(failed)} yet ({first}); "
            "repeat it"
        )
        unfinished.exit_code = max(error.exit_code for error in failed.values())
        raise unfinished from first


def _is_noted(case: Case, noted: Noted) -> bool:
    return any(
        entry.kind == Noted.kind
        and (entry.payload["topic"], entry.payload["at"]) == (noted.topic, noted.at)
        for entry in case.context.ledger.entries(case.state.migration)
        if entry.at.timestamp() >= noted.at
    )

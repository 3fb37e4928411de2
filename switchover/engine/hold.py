"""Hold and resume: a person's brake. It never blocks a rollback."""

from __future__ import annotations

from switchover.engine.context import Case, Context, persist
from switchover.machine.event import Held, Resumed
from switchover.machine.state import Phase


def hold(context: Context, migration: str, *, actor: str, reason: str) -> Case:
    """Stop all steps forward; holding a held migration changes nothing."""
    return persist(
        context,
        migration,
        lambda case: (
            None
            if case.state.phase is Phase.HELD
            else (Held(at=context.timestamp, actor=actor, reason=reason), ())
        ),
        actor=actor,
    )


def resume(context: Context, migration: str, *, actor: str, reason: str) -> Case:
    """Allow steps again; raises ``IllegalTransition`` when nothing is held."""
    return persist(
        context,
        migration,
        lambda case: (Resumed(at=context.timestamp, actor=actor, reason=reason), ()),
        actor=actor,
    )

"""Unwatched: what people are told when no guard watches a migration, though there should be one."""

from __future__ import annotations

from switchover.engine.context import Context
from switchover.engine.inform import inform
from switchover.machine.state import TERMINAL


def tell_unwatched(context: Context, *, actor: str) -> list[str]:
    """Write down and tell people, once in each stage, that a migration whose candidate serves is
    watched by no guard; gives those that were told of now.

    Only where the operator wants guards. Raises ``DependencyUnavailable``.
    """
    if context.guards is None or not context.guards.wanted:
        return []
    states = [each for each in context.ledger.migrations()
              if each.split > 0 and each.phase not in TERMINAL]  # fmt: skip
    beats = context.guards.alive() if states else ()
    return [
        state.migration
        for state in states
        if not any(beat.watches(state.migration) and not beat.trouble for beat in beats)
        and _tell(context, state.migration, state.stage, actor)
    ]


def _tell(context: Context, migration: str, stage: int, actor: str) -> bool:
    case = context.open(migration)
    text = (
        f"{case.plan.title}: no guard watches it, so that a failure is seen once a minute by "
        "monitor and not every second; start `switchover watch`"
    )
    channel = case.plan.notify.slack_channel
    return inform(context, migration, f"no guard in stage {stage}", text, channel, actor=actor)

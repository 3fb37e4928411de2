"""Drain: perform the outbox's side effects, each under its key, until none is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from switchover.engine.context import Context
from switchover.errors import SwitchoverError

#: An effect whose owner died comes back after this time, in seconds.
LEASE = 60.0
#: Wait after a failure, in seconds.
RETRY = 15.0


@dataclass(frozen=True, slots=True)
class Drained:
    """Keys of effects that were done, and failures as ``key: why``."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def drain(context: Context, *, limit: int = 50) -> Drained:
    """Perform due effects. A failure is recorded and retried later; it stops no other one."""
    done: list[str] = []
    failed: list[str] = []
    effects = context.ledger.claim_effects(now=context.clock.now(), lease=LEASE, limit=limit)
    for effect in effects:
        handler = context.handlers.get(effect.kind)
        try:
            if handler is None:
                raise SwitchoverError(f"no handler for effects of kind {effect.kind!r}")
            result = handler(effect)
        except SwitchoverError as error:
            wait = getattr(error, "retry_after", None) or RETRY
            retry_at = context.clock.now() + timedelta(seconds=wait)
            context.ledger.fail_effect(effect.key, str(error), retry_at=retry_at)
            failed.append(f"{effect.key}: {error}")
        else:
            context.ledger.finish_effect(effect.key, result)
            done.append(effect.key)
    return Drained(tuple(done), tuple(failed))

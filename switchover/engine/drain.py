"""Drain: perform the outbox's side effects, each under its key, until none is due."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import timedelta

from switchover.engine.context import Context
from switchover.errors import SwitchoverError
from switchover.ports import Effect

_log = logging.getLogger("switchover.outbox")

#: An effect whose owner died comes back after this time, in seconds. It has to be longer than
#: any handler takes: each effect is claimed just before it is performed, never in a batch.
LEASE = 60.0
#: The first and the longest wait after a failure, in seconds; it doubles in between.
RETRY_FIRST, RETRY_MOST = 5.0, 900.0
#: Seconds lost with failures after which the rest is left to the next drain: whoever rolls back
#: does not sit through all the messages of a Slack that hangs.
LOST = 15.0


@dataclass(frozen=True, slots=True)
class Drained:
    """Keys of effects that were done, and failures as ``key: why``."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def drain(context: Context, *, limit: int = 50) -> Drained:
    """Perform due effects, at most ``limit``. A failure of any kind is recorded and retried
    later; it stops no other one, unless failing takes long."""
    done: list[str] = []
    failed: list[str] = []
    lost = 0.0
    for _ in range(limit):
        if lost > LOST:
            break
        claimed = context.ledger.claim_effects(now=context.clock.now(), lease=LEASE, limit=1)
        if not claimed:
            break
        began = time.monotonic()
        error = _perform(context, claimed[0])
        if error:
            lost += time.monotonic() - began
            failed.append(f"{claimed[0].key}: {error}")
        else:
            done.append(claimed[0].key)
    return Drained(tuple(done), tuple(failed))


def wait_after(attempts: int) -> float:
    """Seconds until the next attempt: doubled each time up to a limit, with jitter."""
    wait = min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(attempts - 1, 30))
    return wait * random.uniform(0.8, 1.2)


def _perform(context: Context, effect: Effect) -> str:
    """Do one effect and write down how it went; gives the error, empty when it is done."""
    handler = context.handlers.get(effect.kind)
    try:
        if handler is None:
            raise SwitchoverError(f"no handler for effects of kind {effect.kind!r}")
        result = handler(effect)
    except SwitchoverError as error:
        return _put_off(context, effect, str(error), getattr(error, "retry_after", None))
    except Exception as error:
        # A handler with a fault must not keep the incident's page from being sent.
        _log.exception("effect %s failed in an unforeseen way", effect.key)
        return _put_off(context, effect, f"{type(error).__name__}: {error}", None)
    context.ledger.finish_effect(effect.key, result)
    return ""


def _put_off(context: Context, effect: Effect, error: str, asked: float | None) -> str:
    wait = max(wait_after(effect.attempts), asked or 0.0)
    retry_at = context.clock.now() + timedelta(seconds=wait)
    context.ledger.fail_effect(effect.key, error, retry_at=retry_at)
    return error

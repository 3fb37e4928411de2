"""Roll back: all traffic to legacy first, then the record, then the people.

The order is the point. Routing is stopped by one atomic write that needs nothing but Redis;
the ledger, the incident and the pager follow, and whatever is down then is completed by
``reconcile`` and ``drain`` (invariants 5 and 7).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import measured_effects, rollback_effects
from switchover.engine.project import project
from switchover.errors import DependencyUnavailable, InputError, StaleEpoch
from switchover.machine.event import Event, RollbackMeasured, RolledBack
from switchover.machine.state import Phase
from switchover.ports import Effect, Halt

#: How long to wait for the routers' acknowledgements, in seconds.
ACKNOWLEDGE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class RolledBackOutcome:
    """``seconds`` from trigger to the last live router's acknowledgement, None if unknown;
    ``pending`` names dependencies that were down and what completes later."""

    migration: str
    incident: str
    seconds: float | None
    routers: int
    complete: bool
    recorded: bool
    pending: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "migration": self.migration, "incident": self.incident, "seconds": self.seconds,
            "routers": self.routers, "complete": self.complete, "recorded": self.recorded,
            "pending": list(self.pending),
        }  # fmt: skip


def roll_back(
    context: Context,
    migration: str,
    *,
    actor: str,
    trigger: str,
    reason: str,
    reading: dict[str, Any] | None = None,
) -> RolledBackOutcome:
    """Send every key to legacy now, from whatever phase, and record it.

    Asking twice gives one rollback and one incident. Raises ``InputError`` only for a
    migration that neither routing nor the ledger knows, ``DependencyUnavailable`` only when
    both are down.
    """
    pending: list[str] = []
    began = context.timestamp
    halt = _stop_routing(context, migration, actor, reason, began, pending)
    recorded = _write_down(context, migration, halt, actor, trigger, reason, reading or {}, pending)
    if halt.epoch == 0 and not recorded:
        raise DependencyUnavailable("Redis and the database", "; ".join(pending))
    measured = _measure(context, migration, halt, recorded, pending)
    return RolledBackOutcome(
        migration=migration,
        incident=halt.id,
        seconds=measured.seconds if measured else None,
        routers=measured.routers if measured else 0,
        complete=bool(measured and measured.complete),
        recorded=recorded,
        pending=tuple(pending),
    )


def record_halt(context: Context, migration: str, halt: Halt, *, trigger: str) -> Case:
    """Write down a rollback that routing already did; used again by ``reconcile``."""
    return _record(context, migration, halt, halt.actor, trigger, halt.reason, {})


def _stop_routing(
    context: Context, migration: str, actor: str, reason: str, at: float, pending: list[str]
) -> Halt:
    wanted = f"{migration}-{uuid.uuid4().hex[:12]}"
    try:
        if not _routed(context, migration):
            # Unknown to routing: never halt a name that is only a typing error.
            _known(context, migration)
        return context.routing.halt(migration, halt_id=wanted, actor=actor, reason=reason, at=at)
    except DependencyUnavailable as error:
        pending.append(
            f"{error}: routers fall back to legacy by themselves, reconcile writes routing later"
        )
        return Halt(wanted, actor, reason, at, 0)


def _routed(context: Context, migration: str) -> bool:
    try:
        return context.routing.read(migration) is not None
    except InputError:
        # There is a document, though an unreadable one: all the more reason to halt.
        return True


def _known(context: Context, migration: str) -> None:
    try:
        context.ledger.read(migration)
    except DependencyUnavailable as error:
        raise InputError(
            f"routing knows no migration {migration!r}, and the ledger can't be asked: {error}"
        ) from error


def _write_down(
    context: Context, migration: str, halt: Halt, actor: str, trigger: str, reason: str,
    reading: dict[str, Any], pending: list[str],
) -> bool:  # fmt: skip
    try:
        case = _record(context, migration, halt, actor, trigger, reason, reading)
    except DependencyUnavailable as error:
        pending.append(f"{error}: reconcile writes the ledger and the incident later")
        return False
    try:
        project(case)
    except (DependencyUnavailable, StaleEpoch) as error:
        # The halt already stands, or Redis is down: either way reconcile looks again.
        if not pending:
            pending.append(f"routing was not projected again: {error}")
    return True


def _record(
    context: Context, migration: str, halt: Halt, actor: str, trigger: str, reason: str,
    reading: dict[str, Any],
) -> Case:  # fmt: skip
    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        if case.state.phase is Phase.ROLLED_BACK:
            return None
        event = RolledBack(
            at=halt.at,
            actor=actor,
            trigger=trigger,
            reason=reason,
            halt=halt.id,
            incident=halt.id,
            flags=list(case.plan.rollback.flags),
            reading=reading,
        )
        return event, rollback_effects(case, event)

    return persist(context, migration, make, actor=actor)


def _measure(
    context: Context, migration: str, halt: Halt, recorded: bool, pending: list[str]
) -> RollbackMeasured | None:
    """Wait for the routers and record how long they took, once per incident."""
    if halt.epoch == 0:
        return None
    try:
        spread = context.routing.wait_acknowledged(migration, halt.epoch, ACKNOWLEDGE_TIMEOUT)
    except DependencyUnavailable as error:
        pending.append(f"{error}: the routers' acknowledgements are unknown")
        return None
    measured = RollbackMeasured(
        incident=halt.id,
        at=context.timestamp,
        seconds=max(0.0, spread.last_at - halt.at) if spread.routers else 0.0,
        routers=spread.routers,
        complete=spread.complete,
    )
    if recorded and not _measured_before(context, migration, halt.id):
        persist(
            context,
            migration,
            lambda case: (
                (measured, measured_effects(case, halt.id))
                if case.state.incident == halt.id
                else None
            ),
            actor=halt.actor,
        )
    return measured


def _measured_before(context: Context, migration: str, incident: str) -> bool:
    return any(
        entry.kind == RollbackMeasured.kind and entry.payload.get("incident") == incident
        for entry in context.ledger.entries(migration)
    )

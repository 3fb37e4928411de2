"""Roll back: all traffic to legacy first, then the record, then the people.

The order is the point. Routing is stopped by one atomic write that needs nothing but Redis;
the ledger, the incident and the pager follow, and whatever is down then is completed by
``reconcile`` and ``drain`` (invariants 5 and 7). What Redis or the ledger did not take waits in the
spool.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from switchover.engine.assess import assess
from switchover.engine.compare import present
from switchover.engine.context import Case, Context, persist
from switchover.engine.measure import measure, spread
from switchover.engine.outbox import rollback_effects
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.spool import forget, keep
from switchover.errors import (
    DependencyUnavailable,
    InputError,
    LostRace,
    NegativeAnswer,
    PointOfNoReturn,
    Refused,
)
from switchover.machine.event import Event, RollbackMeasured, RolledBack
from switchover.machine.state import Phase
from switchover.ports import Effect, Halt, Order


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

    def unconfirmed(self) -> DependencyUnavailable | None:
        """What to tell when routing has not confirmed the rollback; None when it has."""
        if self.seconds is not None:
            return None
        return DependencyUnavailable(
            "Redis",
            "nobody knows whether traffic has turned; routers without Redis turn by themselves "
            "within their max_staleness; check that it runs, and repeat this",
        )

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
    insist: bool = False,
) -> RolledBackOutcome:
    """Send every key to legacy now, from whatever phase, and record it.

    Past the point of no return that takes somebody to ``insist``, which is recorded with the
    trigger; ``PointOfNoReturn`` otherwise.
    Asking twice gives one rollback and one incident. Raises ``InputError`` only for a
    migration that neither routing nor the ledger knows, ``DependencyUnavailable`` only when
    both are down.
    """
    pending: list[str] = []
    identity = f"{migration}-{uuid.uuid4().hex[:12]}"
    if insist:
        trigger += ", insisting past the point of no return"
    order = Halt(identity, actor, reason, context.timestamp, 0, trigger)
    halt = _stop_routing(context, migration, order, insist, pending)
    waiting = Order(migration, halt, insist)
    if halt.epoch == 0:
        # Before the ledger is asked: it may be down, too, or this process may be killed waiting.
        keep(context, waiting, pending)
    try:
        case = _write_down(context, migration, waiting, order, reading or {}, pending)
    except (InputError, Refused):
        forget(context, waiting)
        raise
    if halt.epoch == 0 and case is None:
        raise DependencyUnavailable("Redis and the database", "; ".join(pending))
    measured = _measure(context, migration, halt, case, pending)
    return RolledBackOutcome(
        migration=migration,
        incident=case.state.incident if case else halt.id,
        seconds=measured.seconds if measured else None,
        routers=measured.routers if measured else 0,
        complete=bool(measured and measured.complete),
        recorded=case is not None,
        pending=tuple(pending),
    )


def rolled_back(context: Context, migration: str) -> RolledBackOutcome:
    """The outcome of a rollback on record; raises ``NegativeAnswer`` where there is none."""
    case = context.open(migration)
    if case.state.phase is not Phase.ROLLED_BACK:
        raise NegativeAnswer(f"{migration} is {case.state.phase.value}: it is not rolled back")
    pending: list[str] = []
    halt = Halt(case.state.halt, "", "", 0.0, case.state.epoch)
    measured = _measure(context, migration, halt, case, pending)
    return RolledBackOutcome(
        migration, case.state.incident, measured.seconds if measured else None,
        measured.routers if measured else 0, bool(measured and measured.complete), True,
        tuple(pending),
    )  # fmt: skip


def record_halt(context: Context, migration: str, halt: Halt) -> Case:
    """Write down a rollback that routing already did; used again by ``reconcile``."""
    return _record(context, migration, halt, halt, True, {})


def record_order(context: Context, order: Order, attempt: int) -> Case:
    """Write down an order that waited in the spool, if the migration is still in ``attempt``."""
    legal = order.insist or order.halt.epoch > 0
    return _record(context, order.migration, order.halt, order.halt, legal, {}, attempt)


def _stop_routing(
    context: Context, migration: str, order: Halt, insist: bool, pending: list[str]
) -> Halt:
    try:
        if not _routed(context, migration):
            # Unknown to routing: never halt a name that is only a typing error.
            _known(context, migration, insist)
        return context.routing.halt(
            migration, halt_id=order.id, actor=order.actor, reason=order.reason, at=order.at,
            trigger=order.trigger, insist=insist,
        )  # fmt: skip
    except DependencyUnavailable as error:
        pending.append(
            f"{error}: routers that can't reach it either go to legacy by themselves, the others "
            "turn when it is back and any command, flow or guard runs"
        )
        return order


def _routed(context: Context, migration: str) -> bool:
    try:
        return context.routing.read(migration) is not None
    except InputError:
        # There is a document, though an unreadable one: all the more reason to halt.
        return True


def _known(context: Context, migration: str, insist: bool) -> None:
    try:
        if context.ledger.read(migration).state.no_return and not insist:
            # Routing has lost the document that would have said so.
            raise PointOfNoReturn(migration)
    except DependencyUnavailable as error:
        raise InputError(
            f"routing knows no migration {migration!r}, and the ledger can't be asked: {error}"
        ) from error


def _write_down(
    context: Context, migration: str, waiting: Order, order: Halt,
    reading: dict[str, Any], pending: list[str],
) -> Case | None:  # fmt: skip
    """The case once the rollback is on record; None, with the reason pending, when it is not."""
    halt = waiting.halt
    try:
        case = _record(context, migration, halt, order, waiting.insist or halt.epoch > 0, reading)
    except (DependencyUnavailable, LostRace) as error:
        pending.append(f"{error}: whatever runs next writes the ledger and the incident")
        if halt.epoch:
            # The halt says it too, for as long as Redis keeps it.
            keep(context, waiting, pending)
        return None
    except InputError as error:
        if halt.epoch == 0:
            raise
        # Routing knew the migration and was stopped; a ledger that lost it stops nothing, nor
        # one with a plan that can't be read.
        pending.append(f"{error}: traffic is on legacy, and it could not be recorded")
        return None
    try:
        project(case)
    except DependencyUnavailable as error:
        if not pending:
            pending.append(f"routing was not projected again: {error}")
    else:
        if halt.epoch == 0:
            forget(context, waiting)
    pending.extend(push(case))
    return case


def _record(
    context: Context, migration: str, halt: Halt, order: Halt, legal: bool,
    reading: dict[str, Any], attempt: int | None = None,
) -> Case:  # fmt: skip
    """Record ``halt``, which stands in routing because of ``order`` or of an earlier one.

    What routing has done is ``legal`` past the point of no return, too: it goes on record.
    """

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        if case.state.phase is Phase.ROLLED_BACK or attempt not in (None, case.state.attempt):
            return None
        if case.state.no_return and not legal:
            raise PointOfNoReturn(migration)
        cause = halt
        if case.state.halt == halt.id:
            # On record already, and answered by another attempt. That attempt is rolled back
            # only by an order of its own, given before its start reached routing.
            if order.id == halt.id:
                return None
            cause = order
        event = RolledBack(
            at=cause.at,
            actor=cause.actor,
            trigger=cause.trigger or "recorded after the fact",
            reason=cause.reason,
            halt=cause.id,
            incident=cause.id,
            flags=case.state.candidate_flags,
            reading=reading or _judged(case, cause),
            old_mode=case.state.mode,
            comparison=present(case),
            criteria=[criterion.model_dump() for criterion in case.plan.rollback.criteria],
            waves=[wave.name for wave in case.waves],
        )
        return event, rollback_effects(case, event)

    return persist(context, migration, make, actor=halt.actor)


def _judged(case: Case, halt: Halt) -> dict[str, Any]:
    """The numbers behind a halt that another run ordered and could not write down."""
    found = assess(case) if halt.trigger == "judge" else None
    return found.to_dict() if found else {}


def _measure(
    context: Context, migration: str, halt: Halt, case: Case | None, pending: list[str]
) -> RollbackMeasured | None:
    """How long the routers took, written down where there is a record."""
    if halt.epoch == 0:
        return None
    try:
        if case is None:
            return spread(context, migration, halt.id, halt.epoch, halt.at)
        found = measure(case)
    except (DependencyUnavailable, LostRace) as error:
        pending.append(f"{error}: reconcile measures the rollback later")
        return None
    return found[0] if found else None

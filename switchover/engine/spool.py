"""Spool: keep an order to roll back that Redis or the ledger could not take, and carry it out.

Carrying out is idempotent and fenced: by the halt's id, by the attempt it was meant for, and by the
compare-and-set of the ledger. An order that a newer attempt has left behind is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from switchover.engine.context import Case, Context
from switchover.engine.project import project
from switchover.errors import (
    DependencyUnavailable,
    InputError,
    LostRace,
    PointOfNoReturn,
    UnknownMigration,
)
from switchover.machine.event import RolledBack, Started
from switchover.machine.propagation import Halt
from switchover.machine.state import Phase
from switchover.ports import Order, Spool

_log = logging.getLogger("switchover.spool")

#: Seconds for which an order is carried out in Redis alone, while nobody can ask the ledger
#: whether another attempt has begun since.
ALONE = 3600.0
#: Seconds in which the same order again is the same order.
_AGAIN = 60.0

#: Writes the rollback down, if the migration is still in this attempt.
Record = Callable[[Context, Order, int], Case]


def keep(context: Context, order: Order, pending: list[str]) -> None:
    """Keep ``order`` for whoever runs next on this host; tells ``pending`` where, or why not."""
    spool = context.spool
    if spool is None:
        return
    if any(_same(each, order) for each in spool.orders(order.migration)):
        pending.append("the same order waits in the spool already")
        return
    try:
        where = spool.put(order)
    except DependencyUnavailable as error:
        pending.append(f"{error}: the order is not kept; repeat it until it is confirmed")
    else:
        pending.append(f"the order waits in {where}, and whoever runs next here carries it out")


def forget(context: Context, order: Order) -> None:
    """Drop an order that was refused, or that is carried out after all."""
    if context.spool is None:
        return
    try:
        context.spool.remove(order)
    except DependencyUnavailable as error:
        # Whoever meets it there finds that it is on record, or that it is refused.
        _log.warning("%s: the order %s stays there", error, order.halt.id)


def carry_out(context: Context, migration: str, record: Record) -> list[str]:
    """Carry out the orders of ``migration`` that wait; says what was done.

    What is still down keeps an order waiting, and is no error here; nor is a ledger that can't
    record it, because its plan can't be read: the traffic turns all the same.
    """
    if context.spool is None:
        return []
    done = []
    for order in context.spool.orders(migration):
        with context.spool.claim(order) as mine:
            if mine:
                done += _carry_out(context, context.spool, order, record)
    return done


def _carry_out(context: Context, spool: Spool, order: Order, record: Record) -> list[str]:
    name = order.halt.id
    try:
        try:
            case = context.open(order.migration)
        except UnknownMigration as error:
            # Routing may know it, where the ledger is another one or has lost it.
            done = _alone(context, spool, order)
            spool.remove(order)
            return done or [f"dropped the order {name}: {error}"]
        except (DependencyUnavailable, InputError):
            return _alone(context, spool, order)
        if superseded(case, order.halt):
            spool.remove(order)
            return [f"dropped the order {name}: another attempt has begun since"]
        before = case.state.revision
        if case.state.phase is not Phase.ROLLED_BACK and not _on_record(case, order.halt):
            try:
                case = record(context, order, case.state.attempt)
            except InputError:
                # Whoever records the halt that stands then is told why.
                return _turn(context, spool, order)
        written = project(case)
        spool.remove(order)
    except PointOfNoReturn as error:
        spool.remove(order)
        return [f"dropped the order {name}: {error}"]
    except (DependencyUnavailable, LostRace):
        return []
    recorded = case.state.revision > before
    return [f"carried out the order {name} from the spool"] if recorded or written else []


def _alone(context: Context, spool: Spool, order: Order) -> list[str]:
    """Turn the traffic while the ledger is down; the order stays for the record."""
    halt = order.halt
    try:
        stored = context.routing.read(order.migration)
        epoch = stored.epoch if stored else -1
    except InputError:
        epoch = halt.epoch
    # Where it stood in Redis, a newer document without it is an answer to it. None, or an older
    # one, is a Redis that has lost it.
    lost = epoch < halt.epoch
    young = epoch >= 0 and context.timestamp - halt.at < ALONE
    return _turn(context, spool, order) if (lost if halt.epoch else young) else []


def _turn(context: Context, spool: Spool, order: Order) -> list[str]:
    """Halt it in Redis unless it is halted; the order stays."""
    routing, halt = context.routing, order.halt
    if routing.halted(order.migration) is not None:
        return []
    taken = routing.halt(
        order.migration, halt_id=halt.id, actor=halt.actor, reason=halt.reason, at=halt.at,
        trigger=halt.trigger, insist=order.insist or halt.epoch > 0,
    )  # fmt: skip
    spool.put(replace(order, halt=replace(halt, epoch=taken.epoch)))
    return [f"turned the traffic by the order {halt.id} from the spool"]


def superseded(case: Case, halt: Halt) -> bool:
    """Whether an attempt began after ``halt`` was ordered, or in answer to it."""
    return any(
        entry.payload.get("halt") == halt.id or entry.payload["at"] > halt.at
        for entry in case.context.ledger.entries(case.state.migration)
        if entry.kind == Started.kind
    )


def _on_record(case: Case, halt: Halt) -> bool:
    return any(
        entry.kind == RolledBack.kind and entry.payload["halt"] == halt.id
        for entry in case.context.ledger.entries(case.state.migration)
    )


def _same(one: Order, other: Order) -> bool:
    """Whether ``other`` only repeats ``one``, as a flow does while everything is down."""
    first, second = one.halt, other.halt
    said = (first.actor, first.reason, first.trigger, first.epoch, one.insist)
    again = (second.actor, second.reason, second.trigger, second.epoch, other.insist)
    return said == again and 0 <= second.at - first.at < _AGAIN

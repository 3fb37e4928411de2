"""Reconcile: make routing and the ledger agree again after any crash. Every flow runs it first."""

from __future__ import annotations

from switchover.engine.context import Case, Context
from switchover.engine.drills import end_cut_off
from switchover.engine.measure import measure
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.roll_back import record_halt, record_order
from switchover.engine.spool import carry_out
from switchover.errors import InputError, SwitchoverError
from switchover.machine.state import Phase, State


def reconcile(context: Context, migration: str) -> list[str]:
    """Repair and say what was repaired; nothing to do gives an empty list.

    A halt in routing that the ledger does not know is a rollback whose record is missing: it
    is written down now. After that the ledger's state is projected to routing, and a rollback
    that nobody lived to measure is measured.
    """
    return reconciled(context, migration)[1]


def reconciled(context: Context, migration: str) -> tuple[Case, list[str]]:
    """The same, and the migration as it is afterwards."""
    repaired = carry_out(context, migration, record_order)
    halt = context.routing.halted(migration)
    case = context.open(migration)
    known = halt is None or halt.id == case.state.halt
    if halt is not None and not known and case.state.phase is not Phase.ROLLED_BACK:
        case = record_halt(context, migration, halt)
        repaired.append(f"recorded the rollback {halt.id} that routing had already done")
    if project(case):
        repaired.append(f"wrote routing epoch {case.state.epoch} again")
    repaired += push(case)
    if (ended := end_cut_off(case)) is not None:
        case = ended
        repaired.append("ended a drill that was cut off")
    measured = measure(case)
    if measured is not None and measured[1]:
        repaired.append(f"measured the rollback {case.state.incident}")
    return case, repaired


def reconcile_waiting(context: Context) -> tuple[list[str], dict[str, str]]:
    """Reconcile every migration with an order in the spool: what was done, and by migration why
    its order waits on. Costs nothing while none does."""
    done: list[str] = []
    faults: dict[str, str] = {}
    spool = context.spool
    names = dict.fromkeys(order.migration for order in spool.orders()) if spool else {}
    for name in names:
        try:
            # By itself first: what it did is to be told, also where the rest then fails.
            done += [f"{name}: {line}" for line in carry_out(context, name, record_order)]
            done += [f"{name}: {line}" for line in reconcile(context, name)]
        except SwitchoverError as error:
            if spool is not None and spool.orders(name):
                faults[name] = str(error)
    return done, faults


def unfinished(context: Context, state: State) -> bool:
    """True when a migration that has ended still needs ``reconcile``: its end never reached
    routing, a halt is not on record, its rollback was not measured, or an order waits."""
    if context.spool is not None and context.spool.orders(state.migration):
        return True
    if state.phase is Phase.ROLLED_BACK and state.revision == state.turned:
        return True
    halt = context.routing.halted(state.migration)
    if halt is not None and halt.id != state.halt and state.phase is not Phase.ROLLED_BACK:
        return True
    try:
        stored = context.routing.read(state.migration)
    except InputError:
        return True
    return stored is None or stored.epoch < state.epoch

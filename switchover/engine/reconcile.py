"""Reconcile: make routing and the ledger agree again after any crash. Every flow runs it first."""

from __future__ import annotations

from switchover.engine.context import Context
from switchover.engine.project import project
from switchover.engine.roll_back import record_halt
from switchover.machine.state import Phase


def reconcile(context: Context, migration: str) -> list[str]:
    """Repair and say what was repaired; nothing to do gives an empty list.

    A halt in routing that the ledger does not know is a rollback whose record is missing: it
    is written down now. After that the ledger's state is projected to routing.
    """
    repaired: list[str] = []
    halt = context.routing.halted(migration)
    case = context.open(migration)
    known = halt is None or halt.id == case.state.halt
    if halt is not None and not known and case.state.phase is not Phase.ROLLED_BACK:
        case = record_halt(context, migration, halt, trigger="recorded after the fact")
        repaired.append(f"recorded the rollback {halt.id} that routing had already done")
    if project(case):
        repaired.append(f"wrote routing epoch {case.state.epoch} again")
    return repaired

"""Project the ledger's state to routing: idempotent, and never backwards."""

from __future__ import annotations

from switchover.engine.context import Case
from switchover.errors import InputError, StaleEpoch
from switchover.machine.snapshot import Snapshot


def snapshot_of(case: Case) -> Snapshot:
    """The routing document that the ledger wants now."""
    agreement = case.plan.agreement
    return case.state.snapshot(agreement.document() if agreement else None)


def project(case: Case) -> bool:
    """Write the routing document unless the store has it or a newer one; True if written.

    A store that lost its data gets it again. A newer epoch in the store, or a halt that refuses
    the document, is an emergency rollback that the ledger does not know yet: ``reconcile``
    records it.
    """
    routing = case.context.routing
    wanted = snapshot_of(case)
    try:
        stored = routing.read(case.state.migration)
    except InputError:
        # Unreadable: routers keep their last good one, and a newer document mends it.
        stored = None
    if stored is not None and stored.epoch >= wanted.epoch:
        return False
    try:
        routing.write(wanted)
    except StaleEpoch:
        # Somebody wrote after our look at the store: a later step, or a halt.
        return False
    return True

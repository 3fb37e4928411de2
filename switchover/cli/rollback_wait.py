"""`switchover rollback M --wait`: stay until Redis and the database have taken the order."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from switchover.cli.session import warn

if TYPE_CHECKING:
    from switchover.engine.context import Context
    from switchover.engine.roll_back import RolledBackOutcome

#: Seconds between two attempts, and between two lines that say the same.
_EVERY, _REPEATED = 1.0, 30.0


def waits(context: Context, migration: str) -> bool:
    """Whether an order to roll ``migration`` back is in the spool."""
    return context.spool is not None and bool(context.spool.orders(migration))


def keep_trying(context: Context, migration: str) -> RolledBackOutcome:
    """Carry the order out, as often as it takes, and say on standard error what it waits for.

    Another process may be faster; whoever does it, it is done once. Raises ``NegativeAnswer``
    when the order was dropped, as another attempt began in the meantime.
    """
    from switchover.engine.reconcile import reconcile_waiting
    from switchover.engine.roll_back import rolled_back

    told, at = "", 0.0
    while waits(context, migration):
        done, faults = reconcile_waiting(context)
        for line in done:
            print(line, file=sys.stderr)
        fault = faults.get(migration, "another process is carrying it out")
        if waits(context, migration):
            if fault != told or time.monotonic() - at > _REPEATED:
                warn(f"waiting, Ctrl-C leaves the order in the spool: {fault}")
                told, at = fault, time.monotonic()
            time.sleep(_EVERY)
    return rolled_back(context, migration)

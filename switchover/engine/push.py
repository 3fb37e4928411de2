"""Push: tell the plan's proxies what routing holds; the step itself never waits for them."""

from __future__ import annotations

from switchover.engine.context import Case
from switchover.errors import DependencyUnavailable, InputError, Refused, StaleEpoch


def push(case: Case) -> list[str]:
    """Let every proxy follow the stored document; what went wrong, in words.

    The stored document and not the wanted one: a halt that the ledger does not know wins.
    """
    splits = case.context.splits
    if splits is None or not case.plan.proxies:
        return []
    try:
        stored = case.context.routing.read(case.state.migration)
        if stored is not None:
            splits(case.plan).apply(stored)
    except StaleEpoch:
        return []  # another writer brought a newer document
    except (DependencyUnavailable, InputError, Refused) as error:
        return [str(error)]
    return []

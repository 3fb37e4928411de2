"""Measure: how long a rollback took to reach the last live router, once per incident."""

from __future__ import annotations

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import measured_effects
from switchover.machine.event import Event, RollbackMeasured, event_from_dict
from switchover.machine.state import Phase
from switchover.ports import Effect, Entry

#: How long to wait for the routers' acknowledgements, in seconds.
ACKNOWLEDGE_TIMEOUT = 5.0


def spread(context: Context, migration: str, incident: str, epoch: int,
           since: float) -> RollbackMeasured:  # fmt: skip
    """Wait until the live routers serve ``epoch``; ``since`` is when the rollback was asked for."""
    found = context.routing.wait_acknowledged(migration, epoch, ACKNOWLEDGE_TIMEOUT)
    return RollbackMeasured(
        incident=incident,
        at=context.timestamp,
        seconds=max(0.0, found.last_at - since) if found.routers else 0.0,
        routers=found.routers,
        complete=found.complete,
        reached=found.complete and found.routers > 0,
    )


def legacy_epoch(case: Case) -> int:
    """The routing epoch from which on routers of a rolled-back migration are on legacy: that of
    the halt on record while it stands in routing, else that of its entry."""
    halt = case.context.routing.halted(case.state.migration)
    if halt is not None and halt.id == case.state.halt:
        return halt.epoch
    return case.state.turned


def measure(case: Case) -> tuple[RollbackMeasured, bool] | None:
    """The measurement of a rolled-back migration, and whether it was written down just now.

    None where nothing is rolled back. A measurement that is on record is given as it is.
    """
    if case.state.phase is not Phase.ROLLED_BACK:
        return None
    context, state = case.context, case.state
    rollback, known = _on_record(case)
    if known is not None:
        return known, False
    measured = spread(
        context, state.migration, state.incident, legacy_epoch(case), rollback.payload["at"]
    )

    def make(now: Case) -> tuple[Event, list[Effect]] | None:
        if now.state.incident != state.incident or _on_record(now)[1] is not None:
            return None
        return measured, measured_effects(now, state.incident)

    persist(context, state.migration, make, actor=rollback.actor)
    return measured, True


def _on_record(case: Case) -> tuple[Entry, RollbackMeasured | None]:
    """The rollback's entry and its measurement. It is the last entry that changed who serves, so
    only what came after it is read."""
    rollback, *later = case.context.ledger.entries(case.state.migration, case.state.turned - 1)
    for entry in later:
        event = event_from_dict(entry.kind, entry.payload)
        if isinstance(event, RollbackMeasured):
            return rollback, event
    return rollback, None

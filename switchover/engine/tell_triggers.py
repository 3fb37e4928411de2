"""Tell of triggers: each once when it fires and once when it recovers.

RED is a rollback (see :mod:`switchover.machine.decide`); where the plan leaves that to people, or
the point of no return is passed, it is told like AMBER, which lets no step forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import alert_effects, silence_effects
from switchover.engine.told import remember_told, was_told
from switchover.engine.triggers import alert_name
from switchover.judge.trigger import TriggerReading
from switchover.machine.event import AlertCleared, AlertRaised, Noted
from switchover.machine.state import TERMINAL
from switchover.ports import Effect


def tell_of_triggers(
    context: Context, case: Case, readings: Sequence[TriggerReading], *, actor: str
) -> None:
    """Write down triggers that, by ``readings``, fire and rolled nothing back, that recover, and
    RED ones of which nothing is known; each once, with a notice for people."""
    if case.state.phase in TERMINAL:
        return
    migration = case.state.migration
    for reading in readings:
        if _change(case, reading) is not None:
            persist(context, migration, partial(_told, reading=reading), actor=actor)
        if _blind(case, reading):
            persist(context, migration, partial(_noted, reading=reading), actor=actor)
            remember_told(case, alert_name(reading.color, reading.trigger))


def _change(case: Case, reading: TriggerReading) -> AlertRaised | AlertCleared | None:
    """The event that this reading makes of the alerts that are open now."""
    name, at = alert_name(reading.color, reading.trigger), case.context.timestamp
    is_open = any(alert.target == name for alert in case.state.alerts)
    if is_open and reading.clears:
        return AlertCleared(name, "candidate", at, reading.sentence, reading.to_dict())
    if not is_open and reading.raises:
        return AlertRaised(name, "candidate", at, reading.sentence, reading.to_dict())
    return None


def _told(
    now: Case, reading: TriggerReading
) -> tuple[AlertRaised | AlertCleared, Sequence[Effect]] | None:
    event = None if now.state.phase in TERMINAL else _change(now, reading)
    return None if event is None else (event, alert_effects(now, event))


def _blind(case: Case, reading: TriggerReading) -> bool:
    """Whether nothing has been known for too long, and nobody was told of it in this stage."""
    if reading.color != "red" or reading.unread <= case.plan.judgement.no_data_after:
        return False
    return not was_told(case, alert_name(reading.color, reading.trigger))


def _noted(now: Case, reading: TriggerReading) -> tuple[Noted, Sequence[Effect]] | None:
    topic = alert_name(reading.color, reading.trigger)
    known = any(
        entry.kind == Noted.kind and entry.payload["topic"] == topic
        for entry in now.context.ledger.entries(now.state.migration, after=now.state.turned)
    )
    if known or now.state.phase in TERMINAL:
        return None
    event = Noted(now.context.timestamp, topic, f"a RED trigger is blind: {reading.sentence}")
    return event, silence_effects(now, event.text)

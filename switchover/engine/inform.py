"""Inform: what people are told regularly, once per occasion, and on record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import inform_effects
from switchover.machine.event import Noted
from switchover.machine.state import Phase
from switchover.ports import Effect, Entry

DAY = 86_400.0
#: Days after completion with a review each, and when the month's report is due.
WEEK, MONTH = 7, 30


def inform(
    context: Context, migration: str, topic: str, text: str, channel: str | None, *, actor: str
) -> bool:
    """Write ``text`` down under ``topic`` and send it to ``channel``; False when that was done
    before in this attempt. Two runs at once make one message."""
    wrote = False

    def once(case: Case) -> tuple[Noted, Sequence[Effect]] | None:
        nonlocal wrote
        wrote = not said(case, topic)
        if not wrote:
            return None
        note = Noted(at=context.timestamp, topic=topic, text=text)
        return note, inform_effects(case, topic, text, channel)

    persist(context, migration, once, actor=actor)
    return wrote


def said(case: Case, topic: str) -> bool:
    """Whether ``topic`` is on record in the present attempt."""
    return any(note.payload["topic"] == topic for note in notes(case))


def notes(case: Case) -> list[Entry]:
    """The notes of the present attempt, oldest first."""
    return [entry for entry in attempt(case) if entry.kind == "noted"]


def attempt(case: Case) -> list[Entry]:
    """All entries of the present attempt, oldest first."""
    starts = [place for place, entry in enumerate(case.entries) if entry.kind == "started"]
    return list(case.entries[starts[-1] :])


def today(case: Case) -> str:
    """The date in the plan's time zone: a notice has one occasion a day."""
    zone = ZoneInfo(case.plan.schedule.timezone)
    return datetime.fromtimestamp(case.context.timestamp, zone).date().isoformat()


def days_since_complete(case: Case) -> int | None:
    """Whole days since the migration was complete, None before that."""
    if case.state.phase is not Phase.COMPLETE:
        return None
    return int((case.context.timestamp - case.state.entered_at) // DAY)


def review_due(case: Case) -> str:
    """The review that is due and not on record: ``day-1`` to ``day-7``, ``month-1``, or none.

    A day that was missed is not made up for: its review would say what today's says.
    """
    days = days_since_complete(case)
    if days is None:
        return ""
    name = f"day-{days + 1}" if days < WEEK else "month-1" if days >= MONTH else ""
    return "" if not name or said(case, f"review {name}") else name


def concerned(case: Case, during: str) -> str:
    """Why a stakeholder is told nothing now; empty when they are to be told."""
    state = case.state
    if state.phase in (Phase.ROLLED_BACK, Phase.ABORTED):
        return f"{state.migration} is {state.phase.value.replace('_', ' ')}"
    days = days_since_complete(case)
    if days is None:
        serves = state.split > 0
        return "" if serves or during == "migration" else "the candidate serves nobody yet"
    last = WEEK if during == "traffic" else MONTH
    return "" if days <= last else f"{state.migration} has been complete for {days} days"

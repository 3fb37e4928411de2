"""What people do about an incident: acknowledge, analyse, tick criteria, close.

Each is an entry of the migration's ledger; the report and the Slack thread follow by effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import incident_effects
from switchover.errors import InputError, Refused
from switchover.machine.event import (
    CriterionTicked,
    CriterionUnticked,
    Event,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentUpdated,
)
from switchover.machine.inquiry import Inquiry, find_inquiry, follow, inquiry_of
from switchover.machine.state import Phase
from switchover.ports import Effect


@dataclass(frozen=True, slots=True)
class Findings:
    """What people write about an incident; what is empty leaves what was written before."""

    summary: str = ""
    root_cause: str = ""
    impact: str = ""
    actions: Sequence[dict[str, str]] = field(default_factory=tuple)
    prevention: str = ""
    mitigated: str = ""

    @property
    def empty(self) -> bool:
        """True where nothing is said."""
        return not any(
            (self.summary, self.root_cause, self.impact, self.actions, self.prevention,
             self.mitigated)
        )  # fmt: skip


def migration_of(context: Context, incident: str) -> str:
    """Whose incident it is; ``InputError`` where no ledger entry opened it."""
    states = context.ledger.migrations()
    # An id begins with the migration's name, unless an application gave it.
    states.sort(key=lambda state: not incident.startswith(f"{state.migration}-"))
    for state in states:
        if inquiry_of(state.inquiries, incident) is not None:
            return state.migration
        for entry in context.ledger.entries(state.migration):
            if entry.kind in ("rolled_back", "stranded") and entry.payload["incident"] == incident:
                return state.migration
    raise InputError(f"no incident {incident!r}; `switchover incident list` shows all")


def acknowledge(context: Context, incident: str, *, actor: str, via: str) -> Case:
    """Record who looks after it. A second person changes nothing: the first one is answered."""

    def make(case: Case) -> tuple[Event, list[Effect]] | None:
        if find_inquiry(case.state.inquiries, incident).acknowledged_by:
            return None
        event = IncidentAcknowledged(incident, context.timestamp, actor, via)
        return event, incident_effects(case, incident, "acknowledged")

    return persist(context, migration_of(context, incident), make, actor=actor)


def analyse(context: Context, incident: str, found: Findings, *, actor: str, via: str) -> Case:
    """Record what people found out. Raises ``InputError`` where they say nothing at all."""
    if found.empty:
        raise InputError(f"incident {incident}: there is nothing written to record")

    def make(case: Case) -> tuple[Event, list[Effect]]:
        event = IncidentUpdated(
            incident=incident, at=context.timestamp, actor=actor, summary=found.summary,
            root_cause=found.root_cause, impact=found.impact, actions=list(found.actions),
            prevention=found.prevention, mitigated=found.mitigated, via=via,
        )  # fmt: skip
        before, after = _turn(case, incident, event)
        what = after.state if after.state != before.state else ""
        return event, incident_effects(case, incident, what)

    return persist(context, migration_of(context, incident), make, actor=actor)


def tick(
    context: Context, incident: str, criterion: str, *, actor: str, note: str = "", via: str
) -> Case:
    """Record that a criterion is met. The last one tells the thread that a retry is possible."""

    def make(case: Case) -> tuple[Event, list[Effect]]:
        event = CriterionTicked(incident, criterion, context.timestamp, actor, note, via)
        _, after = _turn(case, incident, event)
        return event, incident_effects(case, incident, "" if after.open_points() else "retry")

    return persist(context, migration_of(context, incident), make, actor=actor)


def untick(
    context: Context, incident: str, criterion: str, *, actor: str, reason: str = "", via: str
) -> Case:
    """Take a tick back; raises ``IllegalTransition`` where there is none."""

    def make(case: Case) -> tuple[Event, list[Effect]]:
        event = CriterionUnticked(incident, criterion, context.timestamp, actor, reason, via)
        return event, incident_effects(case, incident, "")

    return persist(context, migration_of(context, incident), make, actor=actor)


def close(context: Context, incident: str, *, actor: str, note: str = "", via: str) -> Case:
    """Close an analysed incident; raises ``IllegalTransition`` with what is missing."""

    def make(case: Case) -> tuple[Event, list[Effect]]:
        event = IncidentClosed(incident, context.timestamp, actor, note, via)
        return event, incident_effects(case, incident, "closed")

    return persist(context, migration_of(context, incident), make, actor=actor)


def may_retry(case: Case) -> None:
    """Raise ``Refused`` while the rollback that ended the last attempt is not worked through.

    There is no way past this: who is sure can write so, and tick, under their name.
    """
    state = case.state
    if state.phase is not Phase.ROLLED_BACK:
        return
    inquiry = inquiry_of(state.inquiries, state.incident)
    points = inquiry.open_points() if inquiry is not None else ()
    if points:
        raise Refused(
            f"{state.migration} was rolled back, and incident {state.incident} is not worked "
            f"through: {'; '.join(points)}. See `switchover incident show {state.incident}`, then "
            f"`switchover incident analyse {state.incident}` and `switchover incident tick "
            f"{state.incident} CRITERION`"
        )


def _turn(case: Case, incident: str, event: Event) -> tuple[Inquiry, Inquiry]:
    """The incident before and after ``event``."""
    before = find_inquiry(case.state.inquiries, incident)
    after = inquiry_of(follow(case.state.inquiries, event), incident)
    if after is None:
        raise AssertionError("an event about an incident does not end it")
    return before, after

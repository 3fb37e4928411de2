"""The incident of one rollback, told from ledger entries alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from switchover.errors import InputError
from switchover.incidents.history import History, history_of
from switchover.incidents.recovery import RecoveryStep, recovery_plan
from switchover.incidents.timeline import Moment, happened_at, timeline
from switchover.incidents.wording import spell_seconds
from switchover.machine.event import ComponentRolledBack, RolledBack, Stranded
from switchover.machine.inquiry import IncidentState, Inquiry, Tick
from switchover.plan.rollback import Rollback
from switchover.plan.schedule import Schedule
from switchover.plan.units import seconds
from switchover.ports import Entry

#: The kinds of entry that open an incident.
OPENING = (RolledBack.kind, Stranded.kind, ComponentRolledBack.kind)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One stage before the rollback: what the candidate served (basis points), and how long."""

    title: str
    split: int
    shadow: int
    began: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Incident:
    """A rollback as a record (R5); ``stranded`` where none came, past the point of no return.

    ``components`` are the flags that went off; empty means the whole candidate. ``readings``
    are the gates' readings at the rollback (`judge.verdict.GateReading.to_dict`).
    ``rollback_seconds`` runs from the trigger to the last live router's acknowledgement and is
    None until measured; ``routers`` were live then, and ``complete`` says whether all turned in
    time. ``history`` is what was done about it since, with what people found out, and
    ``recovery`` the way to another attempt. ``component`` went back alone, where it is not empty.
    ``compensations`` says for stages that had begun what a rollback leaves to do.
    """

    id: str
    migration: str
    title: str
    opened_at: datetime
    trigger: str
    actor: str
    reason: str
    components: tuple[str, ...]
    readings: tuple[Mapping[str, Any], ...]
    timeline: tuple[Moment, ...]
    exposures: tuple[Exposure, ...]
    history: History
    recovery: tuple[RecoveryStep, ...] = ()
    zone: str = "UTC"
    rollback_seconds: float | None = None
    target_seconds: float | None = None
    routers: int | None = None
    complete: bool | None = None
    stranded: bool = False
    component: str = ""
    compensations: tuple[str, ...] = ()

    @property
    def inquiry(self) -> Inquiry:
        """What is open about it."""
        return self.history.inquiry

    @property
    def state(self) -> IncidentState:
        """``open``, ``mitigated``, ``analysed`` or ``closed``."""
        return self.inquiry.state

    @property
    def severity(self) -> Literal["critical", "major", "minor"]:
        """Critical while harm may go on; then by whether people got the candidate's answers."""
        if self.inquiry.critical:
            return "critical"
        return "major" if self.served else "minor"

    @property
    def ticks(self) -> Mapping[str, Tick]:
        """Criteria that are met, by id."""
        return {tick.criterion: tick for tick in self.inquiry.ticks}

    @property
    def served(self) -> tuple[Exposure, ...]:
        """The stages in which people got answers of the candidate."""
        return tuple(exposure for exposure in self.exposures if exposure.split)

    @property
    def reach(self) -> str:
        """What share of the requests the candidate served, and for how long."""
        if not self.served:
            return "The candidate served no request; people got answers of legacy only."
        parts = [f"{e.split / 100:g} % for {spell_seconds(e.seconds)}" for e in self.served]
        return f"The candidate served {', then '.join(parts)}."

    @property
    def failing(self) -> tuple[Mapping[str, Any], ...]:
        """The gates that asked for the rollback, worst first."""
        bad = [gate for gate in self.readings if gate.get("verdict") == "rollback"]
        return tuple(sorted(bad, key=lambda gate: -float(gate.get("rollback_evidence", 0))))


def incident_of(
    entries: Sequence[Entry], plan_document: Mapping[str, Any], incident_id: str
) -> Incident:
    """The incident ``incident_id`` of a migration's ``entries`` (all of them, in order).

    Raises ``InputError`` when no entry opened it.
    """
    place = next((i for i, entry in enumerate(entries) if _opens(entry, incident_id)), None)
    if place is None:
        raise InputError(
            f"no incident {incident_id!r} in this ledger; `switchover incident list` names them all"
        )
    attempt = list(_attempt(entries, place))
    rollback = entries[place]
    event = rollback.payload
    opened_at = happened_at(rollback)
    measured = _measurement(attempt, incident_id)
    return Incident(
        id=incident_id,
        migration=rollback.migration,
        title=str(plan_document.get("title") or rollback.migration),
        opened_at=opened_at,
        trigger=str(event.get("trigger", "")),
        actor=str(event.get("actor") or rollback.actor),
        reason=str(event.get("reason", "")),
        components=tuple(event.get("flags") or ()),
        readings=tuple((event.get("reading") or {}).get("gates") or ()),
        timeline=timeline([*attempt, *_later(entries, attempt, incident_id)]),
        exposures=tuple(_exposures(attempt, opened_at)),
        history=history_of(entries[place:], incident_id),
        recovery=recovery_plan(opened_at, _zone(plan_document)),
        zone=_zone(plan_document),
        rollback_seconds=float(measured["seconds"]) if measured else None,
        target_seconds=_target(plan_document),
        routers=int(measured["routers"]) if measured else None,
        complete=bool(measured["complete"]) if measured else None,
        stranded=rollback.kind == Stranded.kind,
        component=str(event.get("component", "")),
        compensations=tuple(_compensations(attempt, opened_at)),
    )


def attempt_of(entries: Sequence[Entry], incident_id: str) -> tuple[Entry, ...]:
    """The entries of the attempt in which the incident was opened; none where it never was."""
    place = next((i for i, entry in enumerate(entries) if _opens(entry, incident_id)), None)
    return () if place is None else tuple(_attempt(entries, place))


def _opens(entry: Entry, incident_id: str) -> bool:
    return entry.kind in OPENING and entry.payload.get("incident") == incident_id


def _attempt(entries: Sequence[Entry], place: int) -> Iterator[Entry]:
    """The entries of the attempt that ``place`` belongs to: from its start to the next one's."""
    starts = [i for i, entry in enumerate(entries) if entry.kind == "started"]
    first = max((i for i in starts if i < place), default=0)
    last = min((i for i in starts if i > place), default=len(entries))
    yield from entries[first:last]


def _later(entries: Sequence[Entry], attempt: Sequence[Entry], incident_id: str) -> Iterator[Entry]:
    """What was done about it after the next attempt had begun."""
    last = attempt[-1].revision
    for entry in entries:
        if entry.revision > last and entry.payload.get("incident") == incident_id:
            yield entry


def _measurement(attempt: Sequence[Entry], incident_id: str) -> Mapping[str, Any] | None:
    found = [
        entry.payload
        for entry in attempt
        if entry.kind == "rollback_measured" and entry.payload.get("incident") == incident_id
    ]
    return found[-1] if found else None


def _exposures(attempt: Sequence[Entry], ended: datetime) -> Iterator[Exposure]:
    stages = [entry for entry in attempt if entry.kind == "stage_entered"]
    stages = [entry for entry in stages if happened_at(entry) <= ended]
    # None, where the rollback came before the first stage with traffic.
    ends = [*(happened_at(entry) for entry in stages[1:]), *[ended][: len(stages)]]
    for entry, end in zip(stages, ends, strict=True):
        event, began = entry.payload, happened_at(entry)
        yield Exposure(
            str(event["title"]), int(event["split"]), int(event["shadow"]),
            began, max(0.0, (end - began).total_seconds()),
        )  # fmt: skip


def _compensations(attempt: Sequence[Entry], ended: datetime) -> Iterator[str]:
    for entry in attempt:
        text = entry.payload.get("compensation")
        if entry.kind == "stage_entered" and text and happened_at(entry) <= ended:
            yield f"{text} (since {entry.payload['title']})"


def _target(plan_document: Mapping[str, Any]) -> float | None:
    # A plan is stored as it was written: what it leaves out counts with its default.
    target = (plan_document.get("rollback") or {}).get("target", Rollback().target)
    if target is None:
        return None
    return float(target) if isinstance(target, int | float) else seconds(target)


def _zone(plan_document: Mapping[str, Any]) -> str:
    return str((plan_document.get("schedule") or {}).get("timezone", Schedule().timezone))

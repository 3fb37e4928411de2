"""What was done about an incident since it was opened: by people, and by the validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from switchover.incidents.timeline import happened_at
from switchover.machine.event import (
    KINDS,
    Event,
    IncidentClosed,
    IncidentUpdated,
    Judged,
    RolledBack,
    Stranded,
    WaveValidated,
    event_from_dict,
)
from switchover.machine.inquiry import IncidentState, Inquiry, follow, inquiry_of
from switchover.ports import Entry

#: Fields of `IncidentUpdated` that people write.
FIELDS = ("summary", "root_cause", "impact", "actions", "prevention", "mitigated")


@dataclass(frozen=True, slots=True)
class History:
    """``inquiry`` is how it stands. ``values`` has for each of :data:`FIELDS` everything that was
    ever written there, oldest first; the last one counts. ``since`` says when each state was
    reached; ``waves`` holds each wave's last result."""

    inquiry: Inquiry
    values: Mapping[str, tuple[Any, ...]]
    since: Mapping[IncidentState, datetime]
    waves: tuple[WaveValidated, ...] = ()
    closing_note: str = ""

    def now(self, name: str) -> Any:
        """What stands in a field now: text, or a list of actions; empty where nothing does."""
        written = self.values.get(name, ())
        return written[-1] if written else () if name == "actions" else ""


def history_of(entries: Sequence[Entry], incident: str) -> History:
    """The history of ``incident``, whose opening entry is the first of ``entries``."""
    inquiries: tuple[Inquiry, ...] = ()
    values: dict[str, tuple[Any, ...]] = {}
    since: dict[IncidentState, datetime] = {}
    waves: dict[str, WaveValidated] = {}
    note = ""
    for entry, event in _events(entries, incident):
        inquiries = follow(inquiries, event)
        state = _own(inquiries, incident).state
        if state not in since or state == "open":
            since[state] = happened_at(entry)
        if isinstance(event, IncidentUpdated):
            for name in FIELDS:
                value = getattr(event, name)
                if value:
                    kept = tuple(value) if isinstance(value, list) else value
                    values[name] = (*values.get(name, ()), kept)
        elif isinstance(event, WaveValidated):
            waves.pop(event.wave, None)
            waves[event.wave] = event
        elif isinstance(event, IncidentClosed):
            note = event.note
    found = _own(inquiries, incident)
    return History(found, values, since, tuple(waves.values()), note)


def _own(inquiries: tuple[Inquiry, ...], incident: str) -> Inquiry:
    found = inquiry_of(inquiries, incident)
    if found is None:
        raise AssertionError("the first entry opens the incident, and no other one ends it")
    return found


def _events(entries: Sequence[Entry], incident: str) -> Iterator[tuple[Entry, Event]]:
    """The events that the incident's state follows; the first one opens it, whoever wrote it."""
    # What failed past the point of no return goes by the evidence, and ends with a rollback.
    others = (Judged.kind, RolledBack.kind) if entries[0].kind == Stranded.kind else ()
    for place, entry in enumerate(entries):
        own = entry.payload.get("incident") == incident
        if entry.kind not in KINDS or not (own or entry.kind in others):
            continue
        payload = entry.payload
        if place == 0 and entry.kind in (RolledBack.kind, Stranded.kind):
            # An older version wrote no criteria down; its incidents are told all the same.
            payload = {**payload, "criteria": payload.get("criteria") or []}
        elif not own:
            # Another incident opens none here.
            payload = {**payload, "criteria": None}
        yield entry, event_from_dict(entry.kind, payload)

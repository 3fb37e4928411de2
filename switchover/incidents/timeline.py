"""Each ledger entry as one line that a person understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from switchover.incidents.wording import all_off
from switchover.ports import Entry


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline: when it happened, who did it, and what it was."""

    at: datetime
    who: str
    what: str


def happened_at(entry: Entry) -> datetime:
    """When it happened. A rollback is written down later than it happens if SQL was away."""
    at = entry.payload.get("at")
    return entry.at.astimezone(UTC) if at is None else datetime.fromtimestamp(float(at), UTC)


def timeline(entries: Sequence[Entry]) -> tuple[Moment, ...]:
    """The entries as moments, by the time they happened; the ledger's order breaks ties."""
    ordered = sorted(entries, key=lambda entry: (happened_at(entry), entry.revision))
    gone = {
        entry.payload["incident"]: all_off(entry.payload["component"], entry.payload["flags"])
        for entry in entries if entry.kind == "component_rolled_back"
    }  # fmt: skip
    return tuple(
        Moment(happened_at(entry), entry.actor, _sentence(entry, gone)) for entry in ordered
    )


def _sentence(entry: Entry, gone: Mapping[str, str]) -> str:
    """In words; ``gone`` says what went off where an incident is of one component."""
    describe = _SENTENCES.get(entry.kind)
    if describe is None:  # written by a newer version
        return entry.kind.replace("_", " ")
    payload = entry.payload
    if entry.kind == "rollback_measured" and payload["incident"] in gone:
        payload = {**payload, "off": gone[payload["incident"]]}
    said = describe(payload)
    late = (entry.at.astimezone(UTC) - happened_at(entry)).total_seconds()
    return f"{said} (written down {late:.0f} s later)" if late >= 2 else said


def _with(text: str, more: Any) -> str:
    return f"{text}: {more}" if more else text


def _entered(event: dict[str, Any]) -> str:
    parts = [f"the candidate serves {event['split'] / 100:g} %"]
    if event.get("shadow"):
        parts.append(f"{event['shadow'] / 100:g} % shadowed")
    if event.get("reversibility") == "point_of_no_return":
        parts.append("from here on nothing rolls back by itself")
    return f"Stage {event['title']} began; " + ", ".join(parts)


def _result(what: str) -> Callable[[dict[str, Any]], str]:
    def say(event: dict[str, Any]) -> str:
        return _with(f"{what} {'passed' if event['ok'] else 'failed'}", event.get("summary"))

    return say


def _decided(event: dict[str, Any]) -> str:
    by = f" by {event['approver']}" if event.get("approver") else ""
    via = f" via {event['via']}" if event.get("via") else ""
    return _with(f"Approval {event['status']}{by}{via}", event.get("reason"))


def _voted(event: dict[str, Any]) -> str:
    via = f" via {event['via']}" if event.get("via") else ""
    return _with(f"{event['approver']} approves{via}; more people have to", event.get("reason"))


def _measured(event: dict[str, Any]) -> str:
    off = event.get("off", "")
    if not event["routers"]:
        starts = f"has {off}" if off else "routes to legacy"
        return f"No router was alive to acknowledge; whichever starts now {starts}"
    if not event.get("complete"):
        return (
            f"Routers were still turning after {event['seconds']:.3f} s "
            f"({event['routers']} live); the rest fall back by themselves"
        )
    return (
        f"All {event['routers']} live routers {f'have {off}' if off else 'route to legacy'}, "
        f"{event['seconds']:.3f} s after the trigger"
    )


def _flags_changed(event: dict[str, Any]) -> str:
    named = {name: "removed" if flag is None else "changed"
             for name, flag in sorted(event["flags"].items())}  # fmt: skip
    return _with("Feature flags " + ", ".join(f"{name} {what}" for name, what in named.items()),
                 event.get("reason"))  # fmt: skip


def _updated(event: dict[str, Any]) -> str:
    names = [name for name in ("summary", "root_cause", "impact", "actions", "prevention")
             if event.get(name)]  # fmt: skip
    written = f"Written down: {', '.join(names).replace('_', ' ')}" if names else ""
    word = f"Mitigated: {event['mitigated']}" if event.get("mitigated") else ""
    return "; ".join(part for part in (written, word) if part)


def _step(event: dict[str, Any]) -> str:
    return f"{'Way back of step' if event.get('reverse') else 'Step'} {event['step']}"


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "started": lambda event: "Migration started; legacy serves everything",
    "stage_entered": _entered,
    "work_recorded": _result("The stage's work"),
    "data_checked": _result("Data checks"),
    "judged": lambda event: _with(
        f"Verdict {str(event['verdict']).replace('_', ' ')}", event.get("sentence")
    ),
    "approval_requested": lambda event: f"Approval {event['id']} requested",
    "approval_voted": _voted,
    "approval_decided": _decided,
    "held": lambda event: _with("Held", event.get("reason")),
    "resumed": lambda event: _with("Resumed", event.get("reason")),
    "rolled_back": lambda event: _with(
        f"Rolled back to legacy ({event['trigger']})", event.get("reason")
    ),
    "rollback_measured": _measured,
    "component_rolled_back": lambda event: _with(
        f"Component {event['component']} rolled back ({event['trigger']}): "
        f"{', '.join(event['flags']) or 'no flag'} off, who serves stays; held",
        event.get("reason"),
    ),
    "rollback_step_begun": lambda event: f"{_step(event)} ({event['level']}) began",
    "rollback_step_done": lambda event: _with(
        f"{_step(event)} ({event['level']}) {event['outcome']}", event.get("summary")
    ),
    "rollback_escalated": lambda event: _with(
        f"The rollback goes on at level {event['level']}", event.get("reason")
    ),
    "rollback_frozen": lambda event: _with(
        "The rollback's steps stop, people are needed", event.get("reason")
    ),
    "stranded": lambda event: _with(
        f"Failed past the point of no return ({event['trigger']}); held", event.get("reason")
    ),
    "signed_off": lambda event: _with(f"Checklist: {event['item']} signed", event.get("note")),
    "sign_off_withdrawn": lambda event: _with(
        f"Checklist: {event['item']} is open again", event.get("reason")
    ),
    "aborted": lambda event: _with("Aborted", event.get("reason")),
    "items_compared": lambda event: _with("Work items compared", event.get("summary")),
    "items_repaired": lambda event: _with("Work items repaired", event.get("summary")),
    "flags_changed": _flags_changed,
    "alert_raised": lambda event: _with("Target alerted", event.get("text")),
    "alert_cleared": lambda event: _with("Target recovered", event.get("text")),
    "wave_validated": lambda event: _with(
        f"Validation {event['wave']} {'passed' if event['ok'] else 'failed'}", event.get("summary")
    ),
    "incident_acknowledged": lambda event: f"{event['actor']} looks after the incident",
    "incident_updated": _updated,
    "criterion_ticked": lambda event: _with(
        f"Criterion {event['criterion']} ticked", event.get("note")
    ),
    "criterion_unticked": lambda event: _with(
        f"Criterion {event['criterion']} is open again", event.get("reason")
    ),
    "incident_closed": lambda event: _with("Incident closed", event.get("note")),
    "drill_begun": lambda event: "A rehearsal of the way back began",
    "drilled": lambda event: _with(
        f"Rehearsal of the way back {'succeeded' if event['ok'] else 'failed'}",
        event.get("reason"),
    ),
    "noted": lambda event: _with(str(event.get("topic") or "Note"), event.get("text")),
}

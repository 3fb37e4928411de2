"""What an incident's thread in Slack is told: one reply for each thing that changed."""

from __future__ import annotations

from switchover.incidents.record import Incident
from switchover.incidents.slack_blocks import escape
from switchover.incidents.wording import all_off


def thread_text(incident: Incident, what: str) -> str:
    """The reply for ``what``: ``measured``, ``wave:NAME``, ``frozen``, ``acknowledged``,
    ``mitigated``, ``analysed``, ``retry``, ``open`` or ``closed``; empty for what the thread is
    not told."""
    kind, _, name = what.partition(":")
    if kind == "measured":
        return mitigated_text(incident)
    if kind == "wave":
        return _wave_text(incident, name)
    history, inquiry = incident.history, incident.inquiry
    to_do = "; ".join(inquiry.open_points())
    told = {
        "acknowledged": f"{inquiry.acknowledged_by} looks after it.",
        "mitigated": f"Mitigated: {history.now('mitigated') or 'by what is on record'}. "
        f"To do: {to_do or 'nothing'}.",
        "analysed": f"Analysed. Root cause: {history.now('root_cause')} "
        f"(actions: {len(history.now('actions'))}). Still open: {to_do or 'nothing'}.",
        "retry": f"All criteria are met: `switchover start` may begin another attempt of "
        f"{incident.migration}.",
        "frozen": f"CRITICAL: people are needed: {to_do}. `switchover steps {incident.migration}` "
        "shows what each step says.",
        "open": f"Open again: {to_do}.",
        "closed": f"Resolved: closed by {inquiry.closed_by}"
        + (f": {history.closing_note}" if history.closing_note else "") + ".",
    }  # fmt: skip
    return escape(told.get(kind, ""))


def mitigated_text(incident: Incident) -> str:
    """The thread's reply once the rollback is measured."""
    to_do = ", ".join(name.replace("_", " ") for name in incident.inquiry.unwritten) or "nothing"
    if incident.rollback_seconds is None:
        return f"Incident {incident.id} is open; the rollback is being measured."
    if not incident.routers:
        return f"No router was alive to acknowledge. To do: {to_do}."
    have = "on legacy"
    if incident.component:
        have = f"have {escape(all_off(incident.component, incident.components))}"
    if not incident.complete:
        return (
            f"After {incident.rollback_seconds:.1f} s some of {incident.routers} routers had not "
            "turned; they fall back to legacy by themselves. Please check that they are alive."
        )
    turned = f"all {incident.routers} live routers {have} after {incident.rollback_seconds:.3f} s."
    awaited = ", ".join(incident.inquiry.awaited)
    if awaited:
        return f"Turned: {turned} The validation goes on: {escape(awaited)}."
    return f"Mitigated: {turned} To do: {to_do}."


def _wave_text(incident: Incident, name: str) -> str:
    found = next((wave for wave in incident.history.waves if wave.wave == name), None)
    if found is None:
        return ""
    if not found.ok:
        bad = [str(probe.get("name", "")) for probe in found.results if not probe.get("ok")]
        return escape(
            f"CRITICAL: validation {name} failed ({', '.join(bad) or found.summary}). Legacy does "
            f"not serve as it should: see `switchover incident show {incident.id}`."
        )
    end = ""
    if incident.inquiry.mitigated:
        end = " Mitigated: routers have turned and every wave passed."
    elif incident.inquiry.awaited:
        end = f" Still to come: {', '.join(incident.inquiry.awaited)}."
    return escape(f"Validation {name} passed: {found.summary}.{end}")

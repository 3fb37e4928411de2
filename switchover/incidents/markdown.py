"""The incident as Markdown: a part generated from the ledger, and sections that people write."""

from __future__ import annotations

import hashlib
import logging
import re
from html import escape

from switchover.incidents.record import Incident
from switchover.incidents.redaction import redact
from switchover.incidents.wording import (
    gate_sentence,
    spell_evidence,
    spell_moment,
    spell_seconds,
)

TO_FILL_IN = "_To be filled in._"
_PEOPLE = ("Root cause", "Actions", "Prevention", "Re-migration criteria")
_LOG = logging.getLogger(__name__)
_BEGIN = re.compile(r"<!-- switchover:begin ([0-9a-f]{16}) .*?-->\n\n", re.DOTALL)
_END = "<!-- switchover:end -->"


def marker(incident_id: str) -> str:
    """The line by which a file is known to be the incident's."""
    return f"<!-- switchover:incident {_safe(incident_id)} -->"


def render(incident: Incident) -> str:
    """The whole report, with people's sections empty where nothing is known yet."""
    day = spell_moment(incident.opened_at)[:10]
    sections = [
        f"# {_safe(incident.title)}: {_what(incident)} on {day}\n",
        _framed(generated_part(incident)),
        _section("Root cause", _safe(incident.root_cause) or TO_FILL_IN),
        _section("Actions", _actions(incident)),
        _section("Prevention", _safe(incident.prevention) or TO_FILL_IN),
        _section("Re-migration criteria", _criteria(incident)),
    ]
    return "\n".join([marker(incident.id), "", *sections])


def refreshed(text: str, incident: Incident) -> str:
    """``text`` with its generated part brought up to date, and every other character as it was.

    A generated part that a person changed or removed is left alone, with a warning in the log.
    """
    begin = _BEGIN.search(text)
    end = text.find(_END, begin.end()) if begin else -1
    if begin is None or end < 0 or _digest(text[begin.end() : end]) != begin[1]:
        _LOG.warning(
            "the report of incident %s was edited inside its generated part; it is left as it is",
            incident.id,
        )
        return text
    return text[: begin.start()] + _framed(generated_part(incident)) + text[end + len(_END) + 1 :]


def sections_to_fill_in(text: str) -> tuple[str, ...]:
    """People's sections of a report that nobody has filled in, or that are gone altogether."""
    missing = []
    for title in _PEOPLE[:3]:
        found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        # What is to compensate stands there from the beginning, before people's own words.
        if found is None or not found[1].strip() or found[1].strip().endswith(TO_FILL_IN):
            missing.append(title)
    return tuple(missing)


def generated_part(incident: Incident) -> str:
    """What the ledger knows: summary, timeline, trigger, components, duration and impact."""
    return "\n".join(
        [
            _section("Summary", _summary(incident)),
            _section("Timeline", _timeline(incident)),
            _section("Trigger", _trigger(incident)),
            _section("Components", _components(incident)),
            _section("Duration", _duration(incident)),
            _section("Impact", _impact(incident)),
            "",  # a blank line, or the mark of the end would belong to the last table
        ]
    )


def _what(incident: Incident) -> str:
    return "failed past the point of no return" if incident.stranded else "rolled back"


def _actions(incident: Incident) -> str:
    """What the plan says is to compensate, and people's own part."""
    left = () if incident.stranded else incident.compensations
    tasks = "\n".join(f"- [ ] {_safe(text)}" for text in left)
    own = _safe(incident.actions) or TO_FILL_IN
    return f"{tasks}\n\n{own}" if tasks else own


def _framed(part: str) -> str:
    note = "generated from the ledger; write below the end of this part"
    return f"<!-- switchover:begin {_digest(part)} ({note}) -->\n\n{part}{_END}\n"


def _digest(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:16]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}\n"


def _safe(text: str) -> str:
    """Text from elsewhere on one line, without secrets, and unable to open a comment or a tag."""
    return escape(redact(" ".join(text.split())), quote=False)


def _cell(text: str) -> str:
    return _safe(text).replace("|", "\\|")


def _summary(incident: Incident) -> str:
    state = {"open": "open: the rollback is not measured yet", "mitigated": "mitigated"}
    lines = [
        f"- Incident: `{_safe(incident.id)}` of migration `{_safe(incident.migration)}`",
        f"- State: {'open: held' if incident.stranded else state[incident.state]}; closed once "
        "root cause, actions and prevention are written below",
        f"- {_what(incident).capitalize()}: {spell_moment(incident.opened_at)} UTC by "
        f"{_safe(incident.actor)}",
        f"- Reason: {_safe(incident.reason) or 'none given'}",
        f"- {incident.impact}",
    ]
    return "\n".join(lines)


def _timeline(incident: Incident) -> str:
    rows = [
        f"| {spell_moment(moment.at)} | {_cell(moment.who)} | {_cell(moment.what)} |"
        for moment in incident.timeline
    ]
    return "\n".join(["| Time (UTC) | Who | What |", "|---|---|---|", *rows])


def _trigger(incident: Incident) -> str:
    head = f"**{_safe(incident.trigger)}**: {_safe(incident.reason)}"
    if not incident.readings:
        return f"{head}\n\nNo gate readings were recorded with this rollback."
    rows = [
        f"| {_cell(str(gate.get('gate', '')))} "
        f"| {_cell(str(gate.get('verdict', '')).replace('_', ' '))} "
        f"| {int(gate.get('n', 0)):,} | {spell_evidence(float(gate.get('rollback_evidence', 1)))} "
        f"| {_cell(gate_sentence(gate))} |"
        for gate in incident.readings
    ]
    table = ["| Gate | Verdict | Observations | Evidence against | What it says |",
             "|---|---|---:|---:|---|", *rows]  # fmt: skip
    return head + "\n\n" + "\n".join(table)


def _components(incident: Incident) -> str:
    if incident.stranded:
        return "Nothing was switched off: the candidate goes on to serve."
    if not incident.components:
        return "The whole candidate; the plan names no flags."
    return "\n".join(f"- flag `{_safe(name)}` switched off" for name in incident.components)


def _duration(incident: Incident) -> str:
    if incident.stranded:
        return "No rollback: the point of no return is passed. People mend the candidate."
    if incident.rollback_seconds is None:
        return "Not measured yet."
    if not incident.routers:
        return "No router was alive to acknowledge; whichever starts now routes to legacy."
    taken = f"{incident.rollback_seconds:.3f} s"
    if incident.target_seconds is not None:
        kept = incident.complete and incident.rollback_seconds <= incident.target_seconds
        promise = f"the promise of {incident.target_seconds:g} s was {'kept' if kept else 'missed'}"
    else:
        promise = "the plan promises no time"
    if not incident.complete:
        return (
            f"After {taken} not every one of the {incident.routers} live routers had turned; "
            f"{promise}. A router without news falls back to legacy by itself."
        )
    return (
        f"{taken} from the trigger to the last of {incident.routers} live routers on legacy; "
        f"{promise}."
    )


def _impact(incident: Incident) -> str:
    if not incident.exposures:
        return incident.impact
    rows = [
        f"| {_cell(e.title)} | {spell_moment(e.began)} | {spell_seconds(e.seconds)} "
        f"| {e.split / 100:g} % | {e.shadow / 100:g} % |"
        for e in incident.exposures
    ]
    table = ["| Stage | From (UTC) | For | Served by the candidate | Shadowed |",
             "|---|---|---|---:|---:|", *rows]  # fmt: skip
    return incident.impact + "\n\n" + "\n".join(table)


def _criteria(incident: Incident) -> str:
    failing = [f"`{_safe(str(gate.get('gate', '')))}`" for gate in incident.failing]
    gates = f" (this time it failed {', '.join(failing)})" if failing else ""
    return "\n".join(
        [
            "- [ ] The root cause is found and written above",
            "- [ ] The fix is in the candidate, and a test fails without it",
            f"- [ ] Every gate holds again in a shadow stage{gates}",
            "- [ ] Prevention is decided, each action with a name and a date",
            "- [ ] A rollback drill has succeeded since",
        ]
    )

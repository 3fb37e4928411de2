"""The incident as Markdown: a part generated from the ledger, and sections that people write."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence

from switchover.incidents.findings import (
    TITLES,
    TO_FILL_IN,
    block,
    cell,
    one_line,
    same,
    section_of,
    spell_action,
    with_section,
)
from switchover.incidents.follow_up import criteria_part, recovery_part, validation_part
from switchover.incidents.record import Incident
from switchover.incidents.wording import (
    all_off,
    gate_sentence,
    spell_evidence,
    spell_moment,
    spell_seconds,
)

_LOG = logging.getLogger(__name__)
_BEGIN = re.compile(r"<!-- switchover:begin ([0-9a-f]{16}) .*?-->\n\n", re.DOTALL)
_END = "<!-- switchover:end -->"


def marker(incident_id: str) -> str:
    """The line by which a file is known to be the incident's."""
    return f"<!-- switchover:incident {one_line(incident_id)} -->"


def render(incident: Incident, plot: str = "") -> str:
    """The whole report, with people's sections empty where nothing is known yet; ``plot`` is the
    file of the picture beside it, if there is one."""
    day = spell_moment(incident.opened_at)[:10]
    sections = [
        f"# {one_line(incident.title)}: {_what(incident)} on {day}\n",
        _framed(generated_part(incident, plot)),
        *(_section(title, _body(incident, name)) for title, name in TITLES.items()),
    ]
    return "\n".join([marker(incident.id), "", *sections])


def refreshed(text: str, incident: Incident, plot: str = "") -> str:
    """``text`` with its generated part brought up to date, and every other character as it was.

    A generated part that a person changed or removed is left alone, with a warning in the log.
    A section takes what the ledger has by now where it shows what the ledger had before.
    """
    begin = _BEGIN.search(text)
    end = text.find(_END, begin.end()) if begin else -1
    if begin is None or end < 0 or _digest(text[begin.end() : end]) != begin[1]:
        _LOG.warning(
            "the report of incident %s was edited inside its generated part; it is left as it is",
            incident.id,
        )
        return text
    rest = text[end + len(_END) + 1 :]
    return (
        text[: begin.start()] + _framed(generated_part(incident, plot)) + _written(rest, incident)
    )


def generated_part(incident: Incident, plot: str = "") -> str:
    """What the ledger knows, from the summary to what another attempt needs."""
    picture = f"![What fired, the split and the trigger]({plot})" if plot else ""
    parts = {
        "Summary": _summary(incident),
        "Timeline": _timeline(incident),
        "What fired": picture,
        "Trigger": _trigger(incident),
        "Components": _components(incident),
        "Duration": _duration(incident),
        "Exposure": _exposure(incident),
        "Validation": validation_part(incident),
        "Recovery plan": recovery_part(incident),
        "Criteria for another attempt": criteria_part(incident),
    }
    told = [_section(title, body) for title, body in parts.items() if body]
    # A blank line, or the mark of the end would belong to the last table.
    return "\n".join([*told, ""])


def _written(rest: str, incident: Incident) -> str:
    """People's sections, with newer values where they show nothing but an earlier one."""
    for title, name in TITLES.items():
        body = section_of(rest, title)
        if body is None or same(body, _body(incident, name)):
            continue
        earlier = [_empty(incident, name), *(_shown(incident, name, value)
                   for value in incident.history.values.get(name, ()))]  # fmt: skip
        if any(same(body, each) for each in earlier):
            rest = with_section(rest, title, _body(incident, name))
    return rest


def _body(incident: Incident, name: str) -> str:
    value = incident.history.now(name)
    return _shown(incident, name, value) if value else _empty(incident, name)


def _shown(incident: Incident, name: str, value: str | Sequence[dict[str, str]]) -> str:
    if isinstance(value, str):
        return block(value)
    return "\n".join(spell_action(action) for action in value)


def _empty(incident: Incident, name: str) -> str:
    """What stands there before anybody writes: for actions what the plan says is to compensate."""
    left = () if incident.stranded or name != "actions" else incident.compensations
    tasks = "\n".join(f"- [ ] {one_line(text)}" for text in left)
    return f"{tasks}\n\n{TO_FILL_IN}" if tasks else TO_FILL_IN


def _what(incident: Incident) -> str:
    if incident.component:
        return f"component {one_line(incident.component)} rolled back"
    return "failed past the point of no return" if incident.stranded else "rolled back"


def _framed(part: str) -> str:
    note = "generated from the ledger; write below the end of this part"
    return f"<!-- switchover:begin {_digest(part)} ({note}) -->\n\n{part}{_END}\n"


def _digest(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:16]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}\n"


def _summary(incident: Incident) -> str:
    own = incident.history.now("summary")
    lines = [
        *([f"- {one_line(own)}"] if own else []),
        f"- Incident: `{one_line(incident.id)}` of migration `{one_line(incident.migration)}`",
        f"- State: **{incident.state}**, {incident.severity}{_open(incident)}",
        f"- {_what(incident).capitalize()}: {spell_moment(incident.opened_at)} UTC by "
        f"{one_line(incident.actor)}",
        f"- Reason: {one_line(incident.reason) or 'none given'}",
        f"- {incident.reach}",
    ]
    if incident.inquiry.acknowledged_by:
        lines.append(f"- Looked after by {one_line(incident.inquiry.acknowledged_by)}")
    return "\n".join(lines)


def _open(incident: Incident) -> str:
    """What is open, and how it is settled."""
    points = "; ".join(incident.inquiry.open_points())
    command = f"switchover incident analyse {incident.id}"
    closed = incident.inquiry.closed_by
    if closed:
        note = incident.history.closing_note
        return f" by {one_line(closed)}" + (f": {one_line(note)}" if note else "")
    return f"; {one_line(points)}. Written below, it counts with `{command}`" if points else ""


def _timeline(incident: Incident) -> str:
    rows = [
        f"| {spell_moment(moment.at)} | {cell(moment.who)} | {cell(moment.what)} |"
        for moment in incident.timeline
    ]
    return "\n".join(["| Time (UTC) | Who | What |", "|---|---|---|", *rows])


def _trigger(incident: Incident) -> str:
    head = f"**{one_line(incident.trigger)}**: {one_line(incident.reason)}"
    if not incident.readings:
        return f"{head}\n\nNo gate readings were recorded with this rollback."
    rows = [
        f"| {cell(str(gate.get('gate', '')))} "
        f"| {cell(str(gate.get('verdict', '')).replace('_', ' '))} "
        f"| {int(gate.get('n', 0)):,} | {spell_evidence(float(gate.get('rollback_evidence', 1)))} "
        f"| {cell(gate_sentence(gate))} |"
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
    return "\n".join(f"- flag `{one_line(name)}` switched off" for name in incident.components)


def _duration(incident: Incident) -> str:
    if incident.stranded:
        return "No rollback: the point of no return is passed. People mend the candidate."
    if incident.rollback_seconds is None:
        return "Not measured yet."
    alone = incident.component
    off = one_line(all_off(alone, incident.components)) if alone else ""
    if not incident.routers:
        starts = f"has {off}" if off else "routes to legacy"
        return f"No router was alive to acknowledge; whichever starts now {starts}."
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
        f"{taken} from the trigger to the last of {incident.routers} live routers "
        f"{f'to have {off}' if off else 'on legacy'}; {promise}."
    )


def _exposure(incident: Incident) -> str:
    if not incident.exposures:
        return incident.reach
    rows = [
        f"| {cell(e.title)} | {spell_moment(e.began)} | {spell_seconds(e.seconds)} "
        f"| {e.split / 100:g} % | {e.shadow / 100:g} % |"
        for e in incident.exposures
    ]
    table = ["| Stage | From (UTC) | For | Served by the candidate | Shadowed |",
             "|---|---|---|---:|---:|", *rows]  # fmt: skip
    return incident.reach + "\n\n" + "\n".join(table)

"""Slack messages as Block Kit, cut to what Slack accepts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from switchover.incidents.record import Incident
from switchover.incidents.redaction import redact
from switchover.incidents.slack_decision import acknowledge_blocks, decision_blocks
from switchover.incidents.slack_limits import Block, fit
from switchover.incidents.wording import gate_sentence, spell_evidence, spell_moment


def rollback_text(incident: Incident) -> str:
    """The one line that a phone shows."""
    what = "FAILED, NOT rolled back" if incident.stranded else "rolled back to legacy"
    if incident.component:
        what = f"component {incident.component} rolled back"
    return escape(f"{incident.migration}: {what} ({incident.trigger}). {incident.reason}")


def rollback_blocks(incident: Incident, *, buttons: bool = False) -> list[Block]:
    """The alert of a rollback: what, why, who, how fast, what it meant, how it stands, where to
    look. ``buttons`` are for an app whose clicks come back; an incident that somebody looks
    after has none any more."""
    if incident.stranded:
        taken = "none: it is past the point of no return"
    elif incident.rollback_seconds is None:
        taken = "being measured"
    elif not incident.routers:
        taken = "no router was alive"
    elif incident.complete:
        taken = f"{incident.rollback_seconds:.3f} s, {incident.routers} routers"
    else:
        taken = f"not all of {incident.routers} routers after {incident.rollback_seconds:.1f} s"
    calls = buttons and not incident.inquiry.acknowledged_by and incident.state != "closed"
    blocks = [
        _header(f"{_headline(incident)}: {incident.title}"),
        _section(f"*Why* ({escape(incident.trigger)}): {escape(incident.reason) or 'no reason'}"),
        _fields(
            [
                ("When", f"{spell_moment(incident.opened_at)} UTC"),
                ("Who", incident.actor),
                ("Rollback time", taken),
                ("Switched off", _switched_off(incident)),
                ("State", f"{incident.state}, {incident.severity}"),
                ("Looked after by", incident.inquiry.acknowledged_by or "nobody yet"),
            ]
        ),
        _section(f"*Impact*: {escape(incident.history.now('impact') or incident.reach)}"),
        *_to_do(incident),
        *_gates(incident.failing or incident.readings),
        *_open_points(incident),
        *(acknowledge_blocks(incident.migration, incident.id) if calls else []),
        _context(
            f"Incident `{escape(incident.id)}` · details: `switchover incident show "
            f"{escape(incident.id)}` · now: `switchover status {escape(incident.migration)}` · "
            "what to do: `switchover plan runbook PLAN`"
        ),
    ]
    return fit(blocks)


def _headline(incident: Incident) -> str:
    if incident.state == "closed":
        return "Closed"
    if incident.component:
        return f"Component {incident.component} rolled back"
    return "Failed, held" if incident.stranded else "Rolled back"


def _open_points(incident: Incident) -> list[Block]:
    """What another attempt waits for, once nothing is on fire any more."""
    points = incident.inquiry.open_points() if incident.inquiry.mitigated else ()
    lines = "\n".join(f"• {escape(point)}" for point in points)
    return [_section(f"*Open*\n{lines}")] if lines else []


def _switched_off(incident: Incident) -> str:
    if incident.stranded:
        return "nothing: the candidate goes on to serve"
    return ", ".join(incident.components) or "the whole candidate"


def _to_do(incident: Incident) -> list[Block]:
    """What nobody but people can do now."""
    if incident.stranded:
        way = f"`switchover rollback {incident.migration} --past-the-point-of-no-return`"
        return [_section(f"*To do now*: mend the candidate. Only if legacy can serve: {way}")]
    if not incident.compensations:
        return []
    lines = "\n".join(f"• {escape(text)}" for text in incident.compensations)
    return [_section(f"*To compensate*\n{lines}")]


def approval_text(migration: str, stage: str) -> str:
    """The one line that a phone shows."""
    return escape(f"{migration}: approval wanted before {stage}")


def approval_blocks(
    *,
    migration: str,
    title: str,
    stage: str,
    request: str,
    expires_at: float,
    approvers: Sequence[str],
    reading: Mapping[str, Any],
    link: str = "",
    voters: Sequence[str] = (),
    missing: Sequence[str] = (),
    settled: str = "",
    buttons: bool = False,
    warning: str = "",
) -> list[Block]:
    """The request for a decision, with the evidence it is about and the ways to decide.

    ``stage`` is the title of the stage to begin, ``request`` the approval's id, ``reading`` a
    `StageReading.to_dict`, ``link`` where the waiting run is found, if anywhere. ``voters`` have
    approved, and ``missing`` is what the quorum lacks. A request that is ``settled`` says how,
    and has no ``buttons``. ``warning`` is what has to be known of the way back.
    """
    command = f"`switchover approve {migration}` or `switchover reject {migration}`"
    decide = f"*Decide* with {command}"
    if link:
        decide += f", or <{escape(link)}|resume the run in the Prefect UI>"
    expires = spell_moment(datetime.fromtimestamp(expires_at, UTC))
    quorum = []
    if voters and not settled:
        quorum = [("Approved so far", ", ".join(voters)), ("Still wanted", "; ".join(missing))]
    if settled:
        ways = [_section(f"*{escape(settled)}*")]
    else:
        ways = [_section(decide)]
        ways += decision_blocks(migration, request, stage) if buttons else []
    blocks = [
        _header(f"Approval {'settled' if settled else 'wanted'}: {stage}"),
        _section(f"*{escape(title)}*\n{escape(str(reading.get('sentence', '')))}"),
        *([_section(f"*Mind the way back.* {escape(warning)}")] if warning else []),
        *_gates(list(reading.get("gates") or ())),
        _fields([("Approvers", ", ".join(approvers)), ("Expires", f"{expires} UTC"), *quorum]),
        *ways,
        _context(f"Request `{request}`"),
    ]
    return fit(blocks)


def escape(text: str) -> str:
    """Text from elsewhere: without secrets, and unable to mention a channel or make a link."""
    return html.escape(redact(text), quote=False)


def _header(text: str) -> Block:
    # Plain text is shown as it is, so nothing is escaped.
    return {"type": "header", "text": {"type": "plain_text", "text": redact(text)}}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _fields(pairs: Sequence[tuple[str, str]]) -> Block:
    texts = [f"*{name}*\n{escape(value) or '-'}" for name, value in pairs]
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in texts]}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _gates(gates: Sequence[Mapping[str, Any]]) -> list[Block]:
    lines = [
        f"• *{escape(str(gate.get('gate', '')))}*: {escape(gate_sentence(gate))} "
        f"(n = {int(gate.get('n', 0)):,}, "
        f"evidence against {spell_evidence(float(gate.get('rollback_evidence', 1.0)))})"
        for gate in gates
    ]
    return [_section("\n".join(lines))] if lines else []

"""Markdown for Prefect artifacts: status, stages and gates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from switchover.judge.field_count import FieldCount
from switchover.machine.inquiry import inquiry_of
from switchover.machine.state import Phase, State
from switchover.plan.stages import Stage
from switchover.reporting import figures
from switchover.reporting.tables import GateRow, StageRow, gate_rows

_PHASES = {
    Phase.RUNNING: "is running",
    Phase.AWAITING_APPROVAL: "waits for an approval",
    Phase.HELD: "is held",
    Phase.ROLLED_BACK: "was rolled back",
    Phase.ABORTED: "was aborted",
    Phase.COMPLETE: "is complete",
}


def status_paragraph(title: str, state: State, stages: Sequence[Stage]) -> str:
    """Where a migration stands, in two or three sentences."""
    stage = stages[min(state.stage, len(stages) - 1)]
    parts = [
        f"**{literal(title)}** {_PHASES[state.phase]}, in stage {stage.index + 1} of {len(stages)} "
        f"(*{stage.title}*). The candidate serves {state.split / 100:g} %."
    ]
    if state.shadow:
        parts.append(f"{state.shadow / 100:g} % of the requests are shadowed.")
    if state.phase is Phase.RUNNING and state.not_before:
        parts.append(f"The stage bakes until {figures.moment(state.not_before)} UTC.")
    if state.approval is not None and state.approval.status == "pending":
        expires = figures.moment(state.approval.expires_at)
        parts.append(f"The approval is asked for until {expires} UTC.")
    if state.reason:
        parts.append(f"Last word: {literal(state.reason)}.".replace("..", "."))
    if state.incident and state.phase is Phase.ROLLED_BACK:
        parts.append(_incident_sentence(state))
    return " ".join(parts)


def _incident_sentence(state: State) -> str:
    """The incident, how it stands, and what another attempt waits for."""
    found = inquiry_of(state.inquiries, state.incident)
    name = f"Incident `{_text(state.incident)}`"
    if found is None:
        return f"{name}."
    points = "; ".join(found.open_points())
    return f"{name} is {found.state}." + (f" Open points: {_text(points)}." if points else "")


def stage_table(rows: Sequence[StageRow]) -> str:
    """The stages as a Markdown table; the one that counts now stands in bold."""
    body = []
    for row in rows:
        cells = [str(row.number), row.title, row.place, row.percent, row.bake, row.began,
                 row.verdict, row.approval]  # fmt: skip
        if row.place not in ("done", "next"):
            cells[1:3] = [f"**{cells[1]}**", f"**{cells[2]}**"]
        body.append(cells)
    head = ["#", "Stage", "State", "Candidate", "Bakes", "Since (UTC)", "Verdict", "Approval"]
    return markdown_table(head, "rllrrlll", body)


def gate_table(rows: Sequence[GateRow]) -> str:
    """The gates as a Markdown table with a legend; a sentence where there are none."""
    if not rows:
        return "This stage has no gates: it is judged by its work."
    body = [
        [f"**{_text(row.gate)}**", row.verdict, row.estimate, row.limit, row.n, row.against,
         row.favour, row.need, row.sentence]
        for row in rows
    ]  # fmt: skip
    head = ["Gate", "Verdict", "Estimate", "Limit", "n", "Evidence against", "Evidence for",
            "Still needed", "In words"]  # fmt: skip
    legend = (
        "Evidence is a number that stays near 1 while it says nothing. *Against* at its limit "
        "freezes the split, and the weighted sum over all gates rolls back; *for* at its limit "
        "lets the gate promote. It may be looked at as often as you like."
    )
    return f"{markdown_table(head, 'llrrrrrrl', body)}\n\n{legend}"


def verdict_markdown(reading: Mapping[str, Any], *, alpha_promote: float = 0.05) -> str:
    """A `StageReading.to_dict`: the verdict, the sum that faces a rollback, and the gates."""
    against = figures.evidence(float(reading.get("rollback_evidence", 1.0)))
    threshold = figures.evidence(float(reading.get("rollback_threshold", 100.0)))
    verdict = str(reading.get("verdict", "")).replace("_", " ")
    # A promotion's sentence lists every gate, as the table below does.
    told = "Every gate passes." if verdict == "promote" else str(reading.get("sentence", ""))
    return (
        f"**Verdict: {verdict}.** {_text(told)}\n\n"
        f"Evidence for a rollback, all gates together: {against} of {threshold}."
        f"{' The split is frozen.' if reading.get('frozen') else ''}\n\n"
        f"{gate_table(gate_rows(reading, alpha_promote=alpha_promote))}"
    )


def mismatch_table(fields: Sequence[FieldCount], samples: int) -> str:
    """In which fields the two systems disagree, as a Markdown table. No values: those are for
    `switchover mismatches`."""
    body = [
        [f"`{_text(field.path).replace('`', ' ')}`", _text(field.why), f"{field.samples:,}",
         f"{field.share:.0%}", figures.moment(field.last_at)]
        for field in fields
    ]  # fmt: skip
    table = markdown_table(["Field", "How", "Samples", "Share", "Last (UTC)"], "llrrl", body)
    return f"Of {samples:,} sampled disagreements:\n\n{table}"


def markdown_table(head: Sequence[str], align: str, body: Sequence[Sequence[str]]) -> str:
    """A table; ``align`` has an r for each column of figures, an l for each of text."""
    rules = ["---:" if side == "r" else "---" for side in align]
    rows = [head, rules, *([_cell(cell) for cell in row] for row in body)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def literal(text: str) -> str:
    """What people wrote, in one line, to be read and nothing else: none of it acts as Markdown
    or HTML."""
    return re.sub(r"([\\`*_\[\]~])", r"\\\1", _text(text))


def _text(text: str) -> str:
    return escape(" ".join(text.split()), quote=False)


def _cell(text: str) -> str:
    # Cells hold our own marks already, so only what would break the row is taken care of.
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")

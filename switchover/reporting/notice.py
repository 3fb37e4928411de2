"""Regular notices: where a migration stands, what happened, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from switchover.incidents.timeline import happened_at, timeline
from switchover.machine.state import Alert, State
from switchover.plan.spec import Contact
from switchover.plan.stages import Stage
from switchover.ports import Entry
from switchover.reporting import figures
from switchover.reporting.comparison import chief_rows

#: What happened is told by so many lines at most, the newest ones.
LINES = 15
#: Characters of such a line, and of the sentence on what is awaited: what a chat cuts off at the
#: end would be the alerts and whom to ask.
LINE, SENTENCE = 150, 600
#: Kinds of entries that people outside the team are not told.
_INWARD = frozenset({"judged", "noted", "data_checked", "flags_changed", "rollback_measured"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What notices and reviews are made of. ``comparison`` is a list of figures, ``why`` the
    sentence of `switchover why`; ``entries`` are those since the last time."""

    title: str
    state: State
    stages: Sequence[Stage]
    entries: Sequence[Entry]
    why: str
    comparison: Sequence[Mapping[str, Any]] = ()
    alerts: Sequence[Alert] = ()
    contacts: Sequence[Contact] = ()
    since: str = ""


def notice_text(standing: Standing) -> str:
    """Plain lines for a chat channel."""
    state = standing.state
    stage = standing.stages[state.stage]
    lines = [
        f"{standing.title}: stage {stage.index + 1} of {len(standing.stages)} ({stage.title}) "
        f"since {figures.moment(state.entered_at)} UTC; "
        f"the candidate serves {state.split / 100:g} %.",
        f"Now: {_short(standing.why, SENTENCE)}.".replace("..", "."),
    ]
    if state.stage + 1 < len(standing.stages):
        following = standing.stages[state.stage + 1]
        approval = ", which people must approve" if following.approval else ""
        lines.append(f"Next: {following.title}{approval}.")
    lines += ["", *happened(standing)]
    shown = compared(standing.comparison)
    if shown:
        lines += ["", "Legacy and candidate in this stage:", *shown]
    if standing.alerts:
        lines += ["", "Open alerts:", *(f"• {alert.text}" for alert in standing.alerts)]
    if standing.contacts:
        first = standing.contacts[0]
        lines += ["", f"Questions: {first.name} ({first.role}), {first.reach}"]
    return "\n".join(lines)


def happened(standing: Standing) -> list[str]:
    """What happened since the last time, in lines, the oldest first."""
    outward = [entry for entry in standing.entries if entry.kind not in _INWARD]
    since = f" since {standing.since}" if standing.since else ""
    if not outward:
        return [f"Nothing happened{since}."]
    told = [
        f"• {moment.at:%Y-%m-%d %H:%M} {_short(moment.what, LINE)}" for moment in timeline(outward)
    ]
    left_out = len(told) - LINES
    more = [f"• ({left_out} more before)"] if left_out > 0 else []
    return [f"What happened{since} (UTC):", *more, *told[-LINES:]]


def told_since(entries: Sequence[Entry], prefix: str) -> tuple[str, int]:
    """When the last note was whose topic begins with ``prefix``, or completion where that came
    later, in words, and its revision; nothing and 0 for the attempt's beginning."""
    for entry in reversed(entries):
        noted = entry.kind == "noted" and prefix and entry.payload["topic"].startswith(prefix)
        done = entry.kind == "stage_entered" and entry.payload["mode"] == "candidate_only"
        if noted:
            return f"the last one, {happened_at(entry):%Y-%m-%d %H:%M}", entry.revision
        if done and not prefix.startswith("notice"):
            return "completion", entry.revision
    return "", 0


def compared(shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each chief figure of a comparison."""
    return [
        f"• {name}: {legacy} → {candidate} ({reading})"
        for name, legacy, candidate, _, _, _, reading in chief_rows(shown)
    ]


def _short(text: str, most: int) -> str:
    return shorten(text, most, placeholder=" …")

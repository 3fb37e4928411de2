"""Reviews after completion (P14): daily in the first week, and the report of the first month."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from switchover.incidents.timeline import happened_at, timeline
from switchover.judge.verdict import StageReading
from switchover.ports import Entry
from switchover.reporting import figures
from switchover.reporting.notice import Standing, compared, happened

#: What a month without trouble allows.
_CLEANING = (
    "Retire legacy: it must not be needed for a rollback any more.",
    "Remove the migration's feature flags from the code, then from Switchover.",
    "Archive the record: `switchover audit export`.",
)


def daily_text(standing: Standing, day: int, reading: StageReading | None) -> str:
    """The review of one day of the first week."""
    lines = [f"{standing.title}: day {day} after completion.", "", *happened(standing), ""]
    lines += _gates(reading)
    if standing.alerts:
        lines += ["Open alerts:", *(f"• {alert.text}" for alert in standing.alerts)]
    lines += ["", _conclusion(standing, reading)]
    return "\n".join(lines)


def month_text(standing: Standing, everything: Sequence[Entry]) -> str:
    """The report of the whole migration, a month after it was complete.

    ``everything`` are the entries of all attempts, ``standing.entries`` those since completion.
    """
    attempts = sum(1 for entry in everything if entry.kind == "started")
    rollbacks = [entry for entry in everything if entry.kind == "rolled_back"]
    lines = [
        f"{standing.title}: a month after completion.",
        f"It took {_span(everything)} from start to completion, "
        f"{attempts} attempt{'s' if attempts != 1 else ''} and {len(rollbacks)} "
        f"rollback{'s' if len(rollbacks) != 1 else ''}.",
        "",
        "Stages:",
        *_stages(standing, everything),
        "",
        "Approved by:",
        *(_approvals(everything) or ["• nobody was asked"]),
    ]
    if rollbacks:
        lines += ["", "Rollbacks:", *(f"• {moment.what}" for moment in timeline(rollbacks))]
    shown = compared(standing.comparison)
    if shown:
        lines += ["", "Legacy and candidate over all stages:", *shown]
    lines += ["", *happened(standing), "", "Left to do:", *(f"• {each}" for each in _CLEANING)]
    return "\n".join(lines)


def _gates(reading: StageReading | None) -> list[str]:
    if reading is None or not reading.gates:
        return ["No gate judges any more."]
    return [f"Gates: {reading.sentence}"]


def _conclusion(standing: Standing, reading: StageReading | None) -> str:
    bad = [entry for entry in standing.entries if entry.kind in ("rolled_back", "alert_raised")]
    if any(entry.kind == "stranded" for entry in standing.entries):
        return "To do: it failed past its point of no return; see the incident, mend the candidate."
    if standing.alerts:
        return "To do: look at the open alerts; roll back if they concern patients or customers."
    if bad:
        return "To do: nothing is open now; see above what was."
    seen = reading is not None and any(gate.n for gate in reading.gates)
    if reading is not None and reading.gates and not seen:
        return "To do: see why no gate has any numbers; without them nobody watches."
    return "Nothing to do."


def _span(entries: Sequence[Entry]) -> str:
    starts = [entry for entry in entries if entry.kind == "started"]
    done = [entry for entry in entries if entry.kind == "stage_entered"]
    if not starts or not done:
        return "an unknown time"
    seconds = (happened_at(done[-1]) - happened_at(starts[0])).total_seconds()
    return _days(seconds)


def _stages(standing: Standing, entries: Sequence[Entry]) -> list[str]:
    """How long each stage of the last attempt lasted; the first one began with the attempt."""
    starts = [place for place, entry in enumerate(entries) if entry.kind == "started"]
    began = [(standing.stages[0].title, happened_at(entries[starts[-1]]))]
    began += [
        (entry.payload["title"], happened_at(entry))
        for entry in entries[starts[-1] :]
        if entry.kind == "stage_entered"
    ]
    return [
        f"• {title}: {_days((following - at).total_seconds())}"
        for (title, at), (_, following) in pairwise(began)
    ]


def _approvals(entries: Sequence[Entry]) -> list[str]:
    given = [
        entry
        for entry in entries
        if entry.kind == "approval_voted"
        or (entry.kind == "approval_decided" and entry.payload["status"] == "approved")
    ]
    return [
        f"• {entry.payload['approver']}, {happened_at(entry):%Y-%m-%d %H:%M}"
        + (f": {entry.payload['reason']}" if entry.payload.get("reason") else "")
        for entry in given
    ]


def _days(seconds: float) -> str:
    """Days where there are some, else hours and minutes."""
    days, rest = divmod(round(seconds), 86_400)
    if not days:
        return figures.duration(seconds)
    return f"{days} d" + (f" {rest // 3600} h" if rest >= 3600 else "")

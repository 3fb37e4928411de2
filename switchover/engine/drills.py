"""Drills on record: how fresh the last is, what they measured, and how that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from switchover.engine.context import Case, Context, persist
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.machine.event import Drilled, Event
from switchover.plan.units import spoken
from switchover.ports import Effect, Entry

#: So many of the last drills are shown.
SHOWN = 10
#: What a drill measures, in order.
PARTS = ("detection", "decision", "propagation", "validation")
#: A drill this much slower or faster than the ones before it is worth a word.
_NOTABLE = 1.5


def undrilled(case: Case) -> str:
    """The sentence for a way back that has to be rehearsed before the step out of a canary; empty
    where none has to, or one was lately."""
    section, state = case.plan.drill, case.state
    if section is None or not section.required or case.stage.kind != "canary":
        return ""
    if state.drilled and case.context.timestamp - state.drilled <= section.max_age:
        return ""
    last = f"the last was at {_moment(state.drilled)}" if state.drilled else "there was none yet"
    return (
        f"the step needs a successful drill of the last {spoken(section.max_age)}, and {last}; "
        f"`switchover drill {state.migration}` runs one"
    )


def end_drill(context: Context, migration: str, event: Drilled) -> Case:
    """Write down how a drill ended, unless that is on record or a rollback has ended it; then
    routing is as before."""

    def make(now: Case) -> tuple[Event, Sequence[Effect]] | None:
        drill = now.state.drill
        return (event, ()) if drill is not None and drill.id == event.drill else None

    case = persist(context, migration, make, actor=event.actor)
    project(case)
    push(case)
    return case


def end_cut_off(case: Case) -> Case | None:
    """End a drill whose run has died, so that nothing of it stays; None where there is none."""
    drill, now = case.state.drill, case.context.timestamp
    if drill is None or now <= drill.until:
        return None
    event = Drilled(
        at=now, actor="switchover", ok=False, drill=drill.id, real=drill.real,
        reason="it was cut off: whoever ran it has ended without a word",
    )  # fmt: skip
    return end_drill(case.context, case.state.migration, event)


def drill_history(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """The last drills, the newest first, with all that they measured and the trend in words; None
    without any."""
    drills = [entry.payload for entry in entries if entry.kind == Drilled.kind]
    if not drills:
        return None
    rows = [_row(drill) for drill in reversed(drills[-SHOWN:])]
    return {"drills": rows, "trend": trend(rows)}


def trend(rows: Sequence[Mapping[str, Any]]) -> str:
    """The newest successful drill beside the median of those before it."""
    good = [row["total"] for row in rows if row["ok"]]
    failed = sum(not row["ok"] for row in rows)
    words = f"{len(rows) - failed} of the last {len(rows)} succeeded"
    if len(good) < 2:
        return words
    newest, usual = good[0], median(good[1:])
    if usual and newest > usual * _NOTABLE:
        how = "slower than"
    else:
        how = "faster than" if newest * _NOTABLE < usual else "about as fast as"
    return f"{words}; the newest took {newest:.2f} s, {how} those before ({usual:.2f} s)"


def total(drill: Mapping[str, Any]) -> float:
    """Seconds from the first bad answer to the last router: what callers feel."""
    return sum(drill.get(part) or 0.0 for part in PARTS[:3])


def figures(drill: Mapping[str, Any]) -> str:
    """What was measured, in words."""
    told = [f"{part} {drill[part]:.3f} s" for part in PARTS if drill.get(part) is not None]
    return ", ".join(told) or "nothing was measured"


def _row(drill: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("drill", "ok", "real", "actor", "reason", *PARTS, "routers", "own")
    moment = datetime.fromtimestamp(drill["at"], UTC).isoformat(timespec="seconds")
    return {"at": moment, **{name: drill.get(name) for name in kept}, "total": total(drill)}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")


#: Heads of the columns of :func:`drill_row`.
DRILL_HEAD = ("Drill", "", "Detection", "Decision", "Propagation", "Validation", "Routers", "What")


def drill_row(row: Mapping[str, Any]) -> list[str]:
    """One drill of :func:`drill_history` as cells of a table."""
    cells = ["–" if row[part] is None else f"{row[part]:.3f} s" for part in PARTS]
    target = " (real)" if row["real"] else ""
    return [row["at"], f"{'ok' if row['ok'] else 'failed'}{target}", *cells, str(row["routers"]),
            "" if row["ok"] else row["reason"]]  # fmt: skip

"""Waiting: one sentence on what a migration waits for, and on what lets it go on."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from switchover.engine.context import Case
from switchover.engine.freeze import said, stops
from switchover.engine.scheduled import upcoming
from switchover.machine.action import Action, Ask, CheckData, Enter, Nothing, Wait, Work
from switchover.plan.wall_clock import spoken_moment

#: Code of a wait -> what ends it, and whether the schedule then takes the step. ``{m}`` is the
#: migration. Where the reason says it all, nothing is added.
UNBLOCKS: dict[str, tuple[str, bool]] = {
    "dwell": ("", True),
    "evidence": ("more traffic settles it", True),
    "no_data": ("it goes on when evidence comes in again, from recorders or sources", True),
    "unreadable": ("it goes on when they can be read again", True),
    "lost": ("it goes on when enough arrives without losses, or with judgement.lost: note", True),
    "proxies": ("it goes on when they follow, `switchover status {m}` shows each", True),
    "amber": ("it goes on when that is well again", True),
    "alert": ("it goes on when the target is kept again", True),
    "frozen": ("", True),
    "group": ("", True),
    "checklist": ("", True),
    "drill": ("", True),
    "scheduled": ("", False),
    "approval": ("`switchover approve {m}` or `switchover reject {m}` decides", False),
    "held": ("", False),
    "stranded": ("it goes on by itself when the evidence is good again", False),
    "rollback_advised": ("`switchover rollback {m}` does it, else it waits for better evidence",
                         False),
}  # fmt: skip


def explain(case: Case, action: Action) -> str:
    """What is due or awaited, what unblocks it, and when the schedule looks again."""
    if isinstance(action, Nothing):
        return action.reason
    parts = [action.reason]
    runs = isinstance(action, Work | CheckData | Ask | Enter)
    code = ""
    if isinstance(action, Work | CheckData):
        parts[0] += ": the next advance runs it"
    elif runs:
        parts[0] += " at the next advance"
    elif isinstance(action, Wait):
        code = action.code
        ends, runs = UNBLOCKS.get(code, ("", False))
        if action.until is not None and code != "frozen":
            parts[0] += f" until {_moment(case, action.until)}"
        if ends:
            parts.append(ends.format(m=case.state.migration))
    held = stops(case)
    if code != "frozen":
        zone = ZoneInfo(case.plan.schedule.timezone)
        parts += [said(stop, zone) for stop in held]
    # What a stop does not hold, checks, is run by the very next one.
    lifted = [] if isinstance(action, Work | CheckData) else [stop.until for stop in held]
    if runs and None not in lifted:
        known = [end.timestamp() for end in lifted if end is not None]
        if isinstance(action, Wait) and action.until is not None:
            known.append(action.until)
        parts.append(upcoming(case, max(known, default=None)))
    return "; ".join(parts)


def _moment(case: Case, timestamp: float) -> str:
    zone = ZoneInfo(case.plan.schedule.timezone)
    return spoken_moment(datetime.fromtimestamp(timestamp, UTC), zone)

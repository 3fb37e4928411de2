"""Decide what is due: state, stages and facts in, one action out. Pure.

The same function answers ``advance``, ``monitor``, ``why`` and a dry run, so that none of
them can drift from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from switchover.judge.verdict import StageReading, Verdict
from switchover.machine.action import (
    Action,
    Ask,
    CheckData,
    Enter,
    Expire,
    Nothing,
    RollBack,
    Void,
    Wait,
    Work,
)
from switchover.machine.state import Phase, State
from switchover.plan.stages import Stage

#: A data check older than this is run again before the step it should allow, in seconds.
DATA_MAX_AGE = 3600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What decide needs beside the state. ``now`` in seconds since the epoch; ``blocked`` is
    the sentence of a freeze window or a closed weekday; ``silence`` that of missing data past
    the plan's limit; ``astray`` that of proxies that do not follow the routing document;
    ``unreadable`` names the sources that can't be read now and why; ``misrecorded`` the metrics
    that came in a form which their gates don't read;
    ``lost`` tells that too much of the evidence was lost; ``alert`` is the sentence of a target
    that lets nothing go on; ``on_expiry`` what follows an approval that nobody gave in time."""

    now: float
    reading: StageReading | None = None
    blocked: str = ""
    silence: str = ""
    astray: str = ""
    unreadable: str = ""
    misrecorded: str = ""
    lost: str = ""
    alert: str = ""
    automatic_rollback: bool = True
    rollback_on_silence: bool = False
    on_expiry: str = "hold"


def decide(state: State, stages: Sequence[Stage], facts: Facts) -> Action:
    """The one thing that is due now.

    A rollback comes before everything: neither a hold, a pending approval nor a freeze window
    stands in its way (invariant 5). Missing evidence never promotes (invariant 6).
    """
    if state.phase in (Phase.ROLLED_BACK, Phase.ABORTED):
        return Nothing(f"{state.phase.value.replace('_', ' ')}: {state.reason}")
    danger = _danger(facts)
    if danger is not None:
        return danger
    if state.phase is Phase.COMPLETE:
        return Nothing("complete: the candidate serves everything")
    stage = stages[state.stage]
    approval = state.approval
    if state.phase is Phase.AWAITING_APPROVAL and approval is not None:
        if approval.status == "pending" and facts.now >= approval.expires_at:
            return Expire(f"approval {approval.id} was not decided in time")
        turned = _not_promoting(stage, facts.reading)
        if turned:
            return Void(f"the evidence turned while people were asked: {turned}")
        if approval.status == "approved" and facts.now >= approval.expires_at:
            return Void(f"approval {approval.id} was given, and not used before it expired")
        if approval.status == "pending":
            return Wait(
                f"waiting for approval {approval.id} of {stages[approval.stage].title}",
                "approval",
                approval.expires_at,
            )
    if state.phase is Phase.HELD:
        if approval is not None and approval.status == "expired" and facts.on_expiry != "hold":
            # A run was ended between the expiry and what the plan makes of it.
            return Expire(f"approval {approval.id} was not decided in time")
        return Wait(f"held: {state.reason}; `switchover resume` lets it go on", "held")
    ready = _ready(state, stage, facts)
    if isinstance(ready, Wait) and facts.astray:
        return replace(ready, reason=f"{ready.reason}; {facts.astray}")
    if ready is not None:
        return ready
    if facts.astray:
        return Wait(facts.astray, "proxies")
    if facts.blocked:
        return Wait(facts.blocked, "frozen")
    if facts.alert:
        return Wait(facts.alert, "alert")
    if state.stage + 1 >= len(stages):
        return Nothing("there is no further stage")
    following = stages[state.stage + 1]
    if following.approval and (approval is None or approval.status != "approved"):
        return Ask(f"{following.title} needs a person's approval", following.index)
    return Enter(f"{stage.title} passed; {following.title} begins", following.index)


def _danger(facts: Facts) -> Action | None:
    if facts.reading is not None and facts.reading.verdict is Verdict.ROLLBACK:
        if facts.automatic_rollback:
            return RollBack(facts.reading.sentence)
        return Wait(
            f"the evidence says roll back, and the plan leaves that to people: "
            f"{facts.reading.sentence}",
            "rollback_advised",
        )
    if facts.silence and facts.rollback_on_silence:
        return RollBack(facts.silence)
    return None


def _ready(state: State, stage: Stage, facts: Facts) -> Action | None:
    """None when the present stage has given all it must; otherwise what is missing."""
    if stage.kind == "start":
        return None
    if stage.work:
        if state.work is None or not state.work.ok:
            return Work(f"{stage.title} has to pass" if state.work is None else state.work.summary)
        return None
    turned = _not_promoting(stage, facts.reading)
    if turned:
        code = "dwell" if facts.now < state.not_before else "evidence"
        until = state.not_before if code == "dwell" else None
        missing = facts.misrecorded or facts.silence or facts.unreadable
        return Wait(f"{turned}; {missing}" if missing else turned, code, until)
    if facts.now < state.not_before:
        return Wait("the stage bakes", "dwell", state.not_before)
    if facts.silence:
        return Wait(facts.silence, "no_data")
    if facts.unreadable:
        return Wait(facts.unreadable, "unreadable")
    if facts.lost:
        return Wait(facts.lost, "lost")
    if stage.data_check:
        data = state.data
        if data is None or facts.now - data.at > DATA_MAX_AGE:
            return CheckData("the data-integrity suites run before the step")
        if not data.ok:
            return CheckData(data.summary)
    return None


def _not_promoting(stage: Stage, reading: StageReading | None) -> str:
    """Why the evidence does not allow a promotion; empty when it does."""
    if stage.work:
        return ""
    if reading is None:
        return "no evidence yet"
    return "" if reading.verdict is Verdict.PROMOTE else reading.sentence

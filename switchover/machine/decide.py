"""Decide what is due: state, stages and facts in, one action out. Pure.

The same function answers ``advance``, ``monitor``, ``why`` and a dry run, so that none of
them can drift from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from switchover.judge.verdict import StageReading, Verdict
from switchover.machine.action import (
    Abort,
    Action,
    Ask,
    CheckData,
    Enter,
    Expire,
    Nothing,
    RollBack,
    Strand,
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
    the sentence of a stop, a freeze window or a closed weekday; ``silence`` that of missing data
    past the plan's limit; ``astray`` that of proxies that do not follow the routing document;
    ``unreadable`` names the sources that can't be read now and why; ``misrecorded`` the metrics
    that came in a form which their gates don't read;
    ``lost`` tells that too much of the evidence was lost; ``alert`` is the sentence of a target
    that lets nothing go on; ``on_expiry`` what follows an approval that nobody gave in time,
    ``evidence_max_age`` for how long people may go by what they were shown.
    ``checklist`` names what is missing of it before the first canary, ``group`` the migrations
    that are awaited; ``deserted`` says that one has failed on which a stage that began rests,
    and ``on_desertion`` what the plan makes of that. ``blocked_until`` is when the block ends, if
    that is known; ``spent`` says that a scheduled run has had its step already. ``red`` is the
    sentence of a trigger that rolls back, ``red_trigger`` its name, ``amber`` the sentence of those
    that let nothing go on; ``drill`` that of a way back which nobody rehearsed lately."""

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
    checklist: str = ""
    group: str = ""
    deserted: str = ""
    on_desertion: str = "hold"
    evidence_max_age: float = inf
    blocked_until: float | None = None
    spent: str = ""
    red: str = ""
    red_trigger: str = ""
    amber: str = ""
    drill: str = ""


def decide(state: State, stages: Sequence[Stage], facts: Facts) -> Action:
    """The one thing that is due now.

    A rollback comes before everything: neither a hold, a pending approval nor a freeze window
    stands in its way (invariant 5). Missing evidence never promotes (invariant 6).
    """
    if state.phase in (Phase.ROLLED_BACK, Phase.ABORTED):
        return Nothing(f"{state.phase.value.replace('_', ' ')}: {state.reason}")
    if state.no_return:
        # Neither the plan's wishes for a rollback nor those against one count any longer.
        facts = replace(facts, automatic_rollback=True, on_expiry="hold")
    danger = _danger(facts) or _deserted(state, facts)
    stranded = ""
    if state.no_return and isinstance(danger, RollBack | Abort):
        stranded = f"past the point of no return, so nothing rolls back: {danger.reason}"
        danger = _strand(state, danger, stranded)
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
        aged = approval.aged(facts.now, facts.evidence_max_age)
        if aged:
            return Void(f"approval {approval.id} has to be asked anew: {aged}")
        if approval.status == "pending":
            given = f" (given by {', '.join(approval.voters)} so far)" if approval.voters else ""
            return Wait(
                f"waiting for approval {approval.id} of {stages[approval.stage].title}{given}",
                "approval",
                approval.expires_at,
            )
    if state.phase is Phase.HELD:
        if approval is not None and approval.status == "expired" and facts.on_expiry != "hold":
            # A run was ended between the expiry and what the plan makes of it.
            return Expire(f"approval {approval.id} was not decided in time")
        return Wait(f"held: {state.reason}; `switchover resume` lets it go on", "held")
    if stranded:
        return Wait(f"{stranded}; incident {state.incident} is open", "stranded")
    if facts.deserted:
        return Wait(facts.deserted, "group")
    if facts.spent:
        return Wait(facts.spent, "scheduled")
    if state.drill is not None and state.drill.real:
        return Wait("a drill is under way: legacy serves until it ends", "drill")
    ready = _ready(state, stage, facts)
    if isinstance(ready, Wait) and facts.astray:
        return replace(ready, reason=f"{ready.reason}; {facts.astray}")
    if ready is not None:
        return ready
    if facts.astray:
        return Wait(facts.astray, "proxies")
    if facts.blocked:
        return Wait(facts.blocked, "frozen", facts.blocked_until)
    if facts.amber:
        return Wait(facts.amber, "amber")
    if facts.alert:
        return Wait(facts.alert, "alert")
    if facts.group:
        return Wait(facts.group, "group")
    if facts.checklist:
        return Wait(facts.checklist, "checklist")
    if facts.drill:
        return Wait(facts.drill, "drill")
    if state.stage + 1 >= len(stages):
        return Nothing("there is no further stage")
    following = stages[state.stage + 1]
    if following.approval and (approval is None or approval.status != "approved"):
        return Ask(f"{following.title} needs a person's approval", following.index)
    return Enter(f"{stage.title} passed; {following.title} begins", following.index)


def _danger(facts: Facts) -> Action | None:
    if facts.red and facts.automatic_rollback:
        return RollBack(facts.red, f"red: {facts.red_trigger}")
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
    if facts.red:
        return Wait(
            f"a trigger says roll back, and the plan leaves that to people: {facts.red}",
            "rollback_advised",
        )
    return None


def _deserted(state: State, facts: Facts) -> Action | None:
    """What the plan makes of a failed migration that this one rests on."""
    if not facts.deserted or state.phase is Phase.COMPLETE:
        return None
    if facts.on_desertion == "rollback":
        return RollBack(facts.deserted, "group")
    return Abort(facts.deserted) if facts.on_desertion == "abort" else None


def _strand(state: State, wanted: RollBack | Abort, reason: str) -> Strand | None:
    """What takes the place of a rollback past the point of no return, once in a stage."""
    if state.stranded == state.stage:
        return None
    return Strand(reason, wanted.trigger if isinstance(wanted, RollBack) else "group")


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

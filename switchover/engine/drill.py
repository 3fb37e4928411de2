"""Drill: rehearse the way back on the live routing, and measure it (R7).

A synthetic migration beside the real one goes through everything that a rollback does: callers
get bad answers from its candidate, a recorder ships them, they are collected and judged, the
judge's rollback halts it in routing, and its routers turn. Its ledger is thrown away, so that
nobody is paged and nothing counts. Meanwhile the real migration's document gets a new epoch: that
changes nothing for its callers, and shows whether its own live routers follow. A real drill also
sends their traffic to legacy until it ends.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from switchover.engine.advance import take_step
from switchover.engine.assess import assess
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context, persist
from switchover.engine.drills import end_cut_off, end_drill, figures
from switchover.engine.measure import ACKNOWLEDGE_TIMEOUT, measure
from switchover.engine.project import project
from switchover.engine.push import push
from switchover.engine.reconcile import reconciled
from switchover.engine.start import start
from switchover.engine.validate import PAUSE, Sleep, ask_wave
from switchover.errors import InputError, Refused, SwitchoverError
from switchover.judge.verdict import Verdict
from switchover.machine.event import DrillBegun, Drilled, Event
from switchover.machine.state import TERMINAL, Phase
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import Effect, Rehearsal

#: Seconds after which a drill that has said nothing counts as cut off; it ends far sooner.
LONGEST = 180.0
#: Seconds that the judge may take to see a candidate that always fails, and probes to pass.
DETECTION, VALIDATION = 30.0, 30.0
#: Seconds between two looks at the evidence.
LOOK = 0.1
#: What a metric probe looks back over, in seconds: there was no rollback that it could count from.
_BEFORE = 900.0


@dataclass(slots=True)
class _Found:
    """What a drill has measured so far, in seconds, and what went wrong."""

    detection: float | None = None
    decision: float | None = None
    propagation: float | None = None
    validation: float | None = None
    routers: int = 0
    own: int = 0
    faults: tuple[str, ...] = ()

    def fault(self, text: str) -> None:
        self.faults += (text,)


def drill(context: Context, migration: str, *, actor: str, sleep: Sleep = time.sleep) -> Drilled:
    """Rehearse now, and give what is on record of it.

    Whatever goes wrong in it is a drill that failed, not an error. ``InputError`` for an unknown
    migration, ``Refused`` where there is nothing to rehearse or the plan forbids it now,
    ``DependencyUnavailable`` when it can't even begin.
    """
    case, identity = _begin(context, migration, actor)
    begun = case.context.timestamp
    found, real = _Found(), bool(case.state.drill and case.state.drill.real)
    revision = case.state.revision
    try:
        project(case)
        push(case)
        _own_routers(case, begun, found)
        _rehearse(case, identity, found, sleep)
        _validate(case, found, sleep)
    except SwitchoverError as error:
        found.fault(str(error))
    except BaseException:
        found.fault("it was interrupted")
        raise
    finally:
        event = _result(case, identity, actor, real, found)
        end_drill(context, migration, event)
    for entry in context.ledger.entries(migration, revision):
        if entry.kind == Drilled.kind and entry.payload["drill"] == identity:
            return event
    return replace(event, ok=False, reason=f"{migration} has changed meanwhile; {event.reason}")


def _begin(context: Context, migration: str, actor: str) -> tuple[Case, str]:
    if context.rehearsals is None:
        raise InputError("this engine was built without rehearsals; pass rehearsals=…")
    # A halt that is not on record yet is a rollback: that comes first.
    case = reconciled(context, migration)[0]
    case = end_cut_off(case) or case
    state, section = case.state, case.plan.drill
    back = state.phase is Phase.ROLLED_BACK
    if state.phase in TERMINAL and not back:
        raise Refused(f"{migration} is {state.phase.value}: there is nothing to rehearse")
    if state.drill is not None:
        raise Refused(f"drill {state.drill.id} of {migration} is under way; wait until it ends")
    # After a rollback no traffic is left that could turn.
    real = section is not None and section.target == "real" and not back
    if real and section is not None and state.split > section.at_most * 100:
        raise Refused(
            f"the candidate serves {state.split / 100:g} %, and a real drill is allowed up to "
            f"{section.at_most:g} % (drill.at_most); with target: synthetic it runs at any split"
        )
    identity = f"{migration[:40]}-drill-{uuid.uuid4().hex[:12]}"

    def make(now: Case) -> tuple[Event, Sequence[Effect]] | None:
        if now.state.revision != state.revision and (
            now.state.drill is not None or now.state.split != state.split
            or (now.state.phase in TERMINAL and now.state.phase is not state.phase)
        ):  # fmt: skip
            return None
        at = context.timestamp
        return DrillBegun(at, actor, identity, at + LONGEST, real), ()

    begun = persist(context, migration, make, actor=actor)
    if begun.state.drill is None or begun.state.drill.id != identity:
        raise Refused(f"{migration} has changed meanwhile; look at it, and repeat this")
    return begun, identity


def _own_routers(case: Case, since: float, found: _Found) -> None:
    """How long the migration's own live routers take to follow."""
    spread = case.context.routing.wait_acknowledged(
        case.state.migration, case.state.epoch, ACKNOWLEDGE_TIMEOUT
    )
    found.own = spread.routers
    if spread.routers:
        found.propagation = max(0.0, spread.last_at - since)
    if not spread.complete:
        found.fault(
            f"{len(spread.waiting)} live routers of {case.state.migration} do not follow: "
            f"{', '.join(spread.waiting)}"
        )
    elif case.state.drill is not None and case.state.drill.real and not spread.routers:
        found.fault(f"no router of {case.state.migration} is live, so that none was seen to turn")


def _rehearse(case: Case, identity: str, found: _Found, sleep: Sleep) -> None:
    """Everything from the first bad answer to the last router, on a synthetic migration."""
    context = case.context
    assert context.rehearsals is not None  # asked for when the drill began
    until = context.timestamp + LONGEST
    with context.rehearsals.open(case.state.migration, identity, until) as rehearsal:
        apart = replace(
            context, ledger=rehearsal.ledger, handlers={}, splits=None, items=None, sources=None,
            probes=None, actions=None, guards=None, shared_fleet=None, spool=None,
        )  # fmt: skip
        start(apart, _plan(case, identity), actor="drill")
        take_step(apart, identity, actor="drill")
        seen = _detect(apart, identity, rehearsal, found, sleep)
        if seen is None:
            found.fault(f"the judge did not see a candidate that always fails in {DETECTION:g} s")
            return
        take_step(apart, identity, actor="drill")
        after = apart.open(identity)
        halt = context.routing.halted(identity)
        if after.state.phase is not Phase.ROLLED_BACK or halt is None:
            found.fault(f"the judge's verdict did not halt it: it is {after.state.phase.value}")
            return
        found.decision = max(0.0, halt.at - seen)
        measured = measure(after)
        if measured is not None:
            found.routers = measured[0].routers
            found.propagation = max(measured[0].seconds, found.propagation or 0.0)
        if measured is None or not measured[0].complete or found.routers < rehearsal.routers:
            found.fault(f"{found.routers} of {rehearsal.routers} of its own routers turned")
        elif not rehearsal.spared():
            found.fault("a router that said it had turned sent callers to the candidate")


def _detect(
    context: Context, slug: str, rehearsal: Rehearsal, found: _Found, sleep: Sleep
) -> float | None:
    """When the judge saw that the candidate is bad; None when it did not."""
    first, waited = rehearsal.call(), 0.0
    while waited < DETECTION:
        collect(context, slug)
        reading = assess(context.open(slug))
        if reading is not None and reading.verdict is Verdict.ROLLBACK:
            seen = context.timestamp
            found.detection = max(0.0, seen - first)
            return seen
        sleep(LOOK)
        waited += LOOK
    return None


def _validate(case: Case, found: _Found, sleep: Sleep) -> None:
    """Ask the probes of the first wave, as after a rollback."""
    wave = next(iter(case.waves), None)
    if wave is None:
        return
    began, left, waited = case.context.timestamp, list(wave.probes), 0.0
    while True:
        answers = ask_wave(case, left, began - _BEFORE)
        bad = {answer.name: answer for answer in answers if not answer.ok}
        left = [probe for probe in left if probe.name in bad]
        if not left or waited >= VALIDATION:
            break
        sleep(PAUSE)
        waited += PAUSE
    found.validation = max(0.0, case.context.timestamp - began)
    for name, answer in bad.items():
        found.fault(f"probe {name}: {answer.summary}")


def _result(case: Case, identity: str, actor: str, real: bool, found: _Found) -> Drilled:
    at, target = case.context.timestamp, case.plan.rollback.target
    measured: dict[str, Any] = {
        name: getattr(found, name)
        for name in ("detection", "decision", "propagation", "validation")
    }
    took = (found.decision or 0.0) + (found.propagation or 0.0)
    if took > target:
        found.fault(f"turning the traffic took {took:.1f} s, and the plan promises {target:g} s")
    complete = found.decision is not None and not found.faults
    own = f"{found.own} live routers of {case.state.migration}" if found.own else (
        f"no router of {case.state.migration} is live"
    )  # fmt: skip
    words = "; ".join(found.faults) or f"{figures(measured)}; {own}"
    return Drilled(
        at=at, actor=actor, ok=complete, drill=identity, reason=words, real=real,
        routers=found.routers + found.own, own=found.own, **measured,
    )  # fmt: skip


def _plan(case: Case, slug: str) -> LoadedPlan:
    """A migration that is judged like the real one, at 50 % and with one gate."""
    source = case.record.plan.document
    document: dict[str, Any] = {
        "switchover": 1, "migration": slug, "title": f"Drill of {case.plan.title}",
        "systems": source["systems"], "request_key": {"field": case.plan.request_key.field},
        "stages": [{"kind": "canary", "percent": 50, "bake": "1h"}],
        "gates": [{"metric": "success_rate", "at_least": "90%"}],
        **({"judgement": source["judgement"]} if "judgement" in source else {}),
    }  # fmt: skip
    return LoadedPlan(
        plan=restore_plan(document), directory=Path(case.record.plan.directory), files=(),
        source="", digest=digest(document), document=document,
    )  # fmt: skip

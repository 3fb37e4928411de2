"""Carry out the steps of a rollback, each once and on record, after the traffic has turned.

Everything is decided from the ledger alone: whoever comes next, after a SIGKILL too, goes on
where the record ends (invariant 4).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from switchover.engine.context import Case, Context, persist
from switchover.engine.outbox import escalated_effects, incident_effects, steps_frozen_effects
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.rollback_progress import GOOD, Due, Progress
from switchover.engine.rollback_standing import (
    StepsOutcome,
    look,
    opened,
    outcome_of,
    planned_steps,
)
from switchover.engine.step_action import perform
from switchover.errors import DependencyUnavailable, InputError, PointOfNoReturn, Refused
from switchover.machine.event import (
    Event,
    RollbackEscalated,
    RollbackFrozen,
    RollbackStepBegun,
    RollbackStepDone,
)
from switchover.plan.rollback_steps import LEVELS, PlannedStep
from switchover.ports import CheckResult, Effect

#: Whoever runs a step has so many seconds beyond its limit to write down how it ended.
GRACE = 15.0
#: Steps that run at the same time.
WIDTH = 8
#: Seconds between two attempts to write down how a step ended.
_AGAIN = 0.5


def settle(context: Context, migration: str, incident: str, *, actor: str) -> Due:
    """Do everything that is due but the steps: give up lost ones, escalate, freeze and page.

    What is left are steps to begin, others' to wait for, or nothing.
    """
    while True:
        case = context.open(migration)
        _, left = look(case, incident)
        if left.lost:
            _give_up(context, migration, incident, left.lost[0])
        elif left.escalate:
            _escalate(context, migration, incident, left, actor)
        elif left.freeze:
            _freeze(context, migration, incident, left.freeze, left.reason, actor)
        else:
            return left


def carry_out(context: Context, migration: str, incident: str, *, actor: str) -> StepsOutcome:
    """Take every step that is left, in this process; those that may run side by side do."""
    reconcile(context, migration)
    asked: set[tuple[str, str]] = set()
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(WIDTH, thread_name_prefix="rollback-step") as pool:
        while True:
            left = settle(context, migration, incident, actor=actor)
            for planned in left.begin:
                if (planned.level, planned.name) not in asked:
                    asked.add((planned.level, planned.name))
                    running.add(pool.submit(take, context, migration, incident, planned.level,
                                            planned.name, actor=actor))  # fmt: skip
            if not running:
                return outcome_of(context.open(migration), incident)
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()


def take(
    context: Context, migration: str, incident: str, level: str, name: str, *, actor: str,
    again: bool = False, reverse: bool = False,
) -> None:  # fmt: skip
    """Run one step if it is due, and write down how it ended.

    ``again`` runs one that has ended before, ``reverse`` takes one back that was done. Nothing
    happens where another process has begun it meanwhile.
    """
    run = uuid.uuid4().hex[:12]
    begun: RollbackStepBegun | None = None

    def begin(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        nonlocal begun
        begun = None
        if case.state.incident != incident:
            return None
        found, left = look(case, incident)
        planned = _find(case, found, level, name)
        if reverse:
            _can_reverse(found, planned, case.context.timestamp)
        elif again:
            _can_repeat(found, planned, case.context.timestamp)
        elif name not in [each.name for each in left.begin if each.level == level]:
            return None
        now = case.context.timestamp
        until = now + planned.seconds + GRACE
        begun = RollbackStepBegun(incident, level, name, run, now, until, actor, reverse)
        return begun, ()

    case = persist(context, migration, begin, actor=actor)
    if begun is None:
        return
    planned = _find(case, opened(case, incident), level, name)
    started = time.monotonic()
    results = perform(case, planned, begun)
    took = time.monotonic() - started
    _write_down(context, migration, _ended(context, begun, results, took), begun.until)


def _ended(
    context: Context, begun: RollbackStepBegun, results: Sequence[CheckResult], took: float
) -> RollbackStepDone:
    bad = next((result for result in results if not result.ok), None)
    summary = f"{bad.name}: {bad.summary}" if bad else results[0].summary
    return RollbackStepDone(
        begun.incident, begun.level, begun.step, begun.run, context.timestamp,
        "failed" if bad else "done", summary, round(took, 4), begun.actor, begun.reverse,
        [result.to_dict() for result in results],
    )  # fmt: skip


def _find(case: Case, found: Progress, level: str, name: str) -> PlannedStep:
    for planned in planned_steps(case, found, level):
        if planned.name == name:
            return planned
    raise InputError(f"level {level} of {case.state.migration} has no step {name!r}")


def settled_by_hand(
    context: Context, migration: str, incident: str, level: str, name: str, *, actor: str,
    reason: str,
) -> None:  # fmt: skip
    """Record that a person did a step that failed, was lost, or waits; the others go on."""

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        found = opened(case, incident)
        planned = _find(case, found, level, name)
        known = found.run(planned)
        if known is not None and known.outcome in GOOD:
            raise Refused(f"step {name} is {known.outcome} already")
        if known is not None and not known.outcome and known.until > case.context.timestamp:
            raise Refused(f"step {name} still runs; wait until it ends")
        event = RollbackStepDone(
            incident, level, name, f"by-hand-{uuid.uuid4().hex[:8]}", context.timestamp, "settled",
            reason, actor=actor,
        )  # fmt: skip
        return event, incident_effects(case, incident, "")

    persist(context, migration, make, actor=actor)


def _can_reverse(found: Progress, planned: PlannedStep, now: float) -> None:
    if planned.step.reverse is None:
        raise Refused(f"step {planned.name} names no way back; add reverse to it in the next plan")
    run = found.run(planned)
    if run is None or run.outcome not in GOOD:
        raise Refused(f"step {planned.name} was not done, so there is nothing to take back")
    back = found.reverses.get((planned.level, planned.name))
    if back is not None and back.outcome == "done":
        raise Refused(f"step {planned.name} is taken back already")
    if back is not None and not back.outcome and back.until > now:
        raise Refused(f"step {planned.name} is being taken back; wait until that ends")


def _can_repeat(found: Progress, planned: PlannedStep, now: float) -> None:
    run = found.run(planned)
    if run is not None and not run.outcome and run.until > now:
        raise Refused(f"step {planned.name} still runs; wait until it ends")


def _give_up(context: Context, migration: str, incident: str, planned: PlannedStep) -> None:
    """Write down that nobody knows how a step ended: whoever ran it has died."""

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        found, left = look(case, incident)
        run = found.run(planned)
        if run is None or planned.name not in [each.name for each in left.lost]:
            return None
        text = (
            "whoever ran it died, and nobody knows how it ended; look, then settle it or repeat it "
            f"with `switchover steps {migration}`"
        )
        event = RollbackStepDone(
            incident, planned.level, planned.name, run.run, context.timestamp, "unknown", text
        )
        return event, ()

    persist(context, migration, make, actor="switchover")


def _escalate(context: Context, migration: str, incident: str, left: Due, actor: str) -> None:
    """Go on at the next level. The traffic of a component's migration turns before the record."""
    found = opened(context.open(migration), incident)
    level = LEVELS[LEVELS.index(found.level) + 1]
    if level == "service":
        try:
            roll_back(context, migration, actor=actor, trigger=f"step {left.escalate}",
                      reason=left.reason)  # fmt: skip
        except PointOfNoReturn as error:
            _freeze(context, migration, incident, left.escalate, f"{left.reason}; {error}", actor)
            return
    escalate_to(context, migration, incident, level, actor, left.reason, left.escalate)


def escalate_to(
    context: Context, migration: str, incident: str, level: str, actor: str, reason: str,
    step: str = "",
) -> None:  # fmt: skip
    """Record that a rollback goes on at ``level``, once."""

    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        if level in opened(case, incident).levels:
            return None
        event = RollbackEscalated(incident, level, context.timestamp, actor, reason, step)
        return event, escalated_effects(case, event)

    persist(context, migration, make, actor=actor)


def _freeze(
    context: Context, migration: str, incident: str, step: str, reason: str, actor: str
) -> None:
    def make(case: Case) -> tuple[Event, Sequence[Effect]] | None:
        found = opened(case, incident)
        if found.frozen:
            return None
        event = RollbackFrozen(incident, found.level, step, context.timestamp, reason)
        return event, steps_frozen_effects(case, event)

    persist(context, migration, make, actor=actor)


def _write_down(context: Context, migration: str, event: RollbackStepDone, until: float) -> None:
    """Record how a step ended. While the ledger does not answer it is asked again, for as long as
    nobody else takes the step for lost."""
    while True:
        try:
            persist(
                context, migration,
                lambda case: (event, incident_effects(case, event.incident, "")),
                actor=event.actor,
            )  # fmt: skip
        except DependencyUnavailable:
            if context.timestamp + _AGAIN >= until:
                raise
            time.sleep(_AGAIN)
        else:
            return

"""How far the steps of a rollback are, and what is due next. Pure: entries and a plan in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from switchover.errors import InputError
from switchover.machine.event import (
    ComponentRolledBack,
    RollbackEscalated,
    RollbackFrozen,
    RollbackStepBegun,
    RollbackStepDone,
    RolledBack,
    StageEntered,
    Started,
    event_from_dict,
)
from switchover.plan.rollback_steps import (
    GROUP_STEP,
    LEVELS,
    Levels,
    PlannedStep,
    SplitZero,
    Step,
    compile_steps,
)
from switchover.ports import Entry

#: How a step may have ended so that those after it begin.
GOOD = ("done", "settled")
#: Seconds that the group's other migrations may take to turn.
GROUP_LIMIT = 60.0
#: How often a repeatable step is begun whose runner died each time.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StepRun:
    """The last run of a step. ``outcome`` is empty until it is known how it ended, ``ended`` (0)
    when."""

    level: str
    step: str
    run: str
    began: float
    until: float
    outcome: str = ""
    summary: str = ""
    seconds: float = 0.0
    attempt: int = 1
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps of one incident as they are on record. ``levels`` are those that were entered, in
    order; ``no_return`` says that the migration had passed its point of no return before.
    ``reverses`` are the runs that took steps back; ``frozen`` is why nothing goes on.
    ``passed_over`` are the steps that had failed when the next level was entered."""

    incident: str
    levels: tuple[str, ...]
    component: str = ""
    at: float = 0.0
    no_return: bool = False
    runs: Mapping[tuple[str, str], StepRun] = field(default_factory=dict)
    reverses: Mapping[tuple[str, str], StepRun] = field(default_factory=dict)
    frozen: str = ""
    passed_over: frozenset[tuple[str, str]] = frozenset()

    @property
    def level(self) -> str:
        """The level at which it goes on."""
        return self.levels[-1]

    def run(self, planned: PlannedStep) -> StepRun | None:
        """The last run of a step; None when it has not begun."""
        return self.runs.get((planned.level, planned.name))


def progress(entries: Iterable[Entry], incident: str) -> Progress:
    """What the ``entries`` of a migration say of the steps of ``incident``.

    Raises ``InputError`` where no rollback opened it.
    """
    found: Progress | None = None
    no_return = False
    for entry in entries:
        event = event_from_dict(entry.kind, entry.payload) if entry.kind in _READ else None
        if isinstance(event, Started):
            no_return = False
        elif isinstance(event, StageEntered):
            no_return = no_return or event.reversibility == "point_of_no_return"
        elif event is None or getattr(event, "incident", "") != incident:
            continue
        elif isinstance(event, RolledBack):
            found = Progress(incident, ("service",), at=event.at, no_return=no_return)
        elif isinstance(event, ComponentRolledBack):
            found = Progress(incident, ("component",), event.component, event.at, no_return)
        elif found is not None:
            found = _after(found, event)
    if found is None:
        raise InputError(f"no rollback opened the incident {incident!r}")
    return found


_READ = frozenset(
    event.kind
    for event in (Started, StageEntered, RolledBack, ComponentRolledBack, RollbackStepBegun,
                  RollbackStepDone, RollbackEscalated, RollbackFrozen)
)  # fmt: skip


def _after(found: Progress, event: object) -> Progress:
    if isinstance(event, RollbackStepBegun):
        known = (found.reverses if event.reverse else found.runs).get((event.level, event.step))
        run = StepRun(event.level, event.step, event.run, event.at, event.until,
                      attempt=known.attempt + 1 if known else 1)  # fmt: skip
        return _with(found, run, event.reverse)
    if isinstance(event, RollbackStepDone):
        # A first answer stays: one that comes after its run was given up changes nothing.
        known = (found.reverses if event.reverse else found.runs).get((event.level, event.step))
        if known is None or known.run != event.run:
            began = StepRun(event.level, event.step, event.run, event.at, event.at)
            known = began if event.outcome == "settled" else None
        if known is None or known.outcome:
            return found
        ended = replace(known, outcome=event.outcome, summary=event.summary, seconds=event.seconds,
                        ended=event.at)  # fmt: skip
        return _with(found, ended, event.reverse)
    if isinstance(event, RollbackEscalated) and event.level not in found.levels:
        bad = {key for key, run in found.runs.items() if run.outcome and run.outcome not in GOOD}
        levels = (*found.levels, event.level)
        return replace(found, levels=levels, frozen="", passed_over=found.passed_over | bad)
    if isinstance(event, RollbackFrozen):
        return replace(found, frozen=event.reason)
    return found


def _with(found: Progress, run: StepRun, reverse: bool) -> Progress:
    key = (run.level, run.step)
    if reverse:
        return replace(found, reverses={**found.reverses, key: run})
    # Somebody who repeats or settles a step lets the others go on, and may take it back anew.
    reverses = {name: back for name, back in found.reverses.items() if name != key}
    return replace(
        found, runs={**found.runs, key: run}, reverses=reverses, frozen="",
        passed_over=found.passed_over - {key},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Due:
    """What is due. ``begin`` are steps that may begin now, ``lost`` those whose runner died and
    that may not run again; ``escalate`` and ``freeze`` name the step that failed, and ``reason``
    says why. ``waiting`` is until when somebody else's steps may run; all empty: it is over."""

    begin: tuple[PlannedStep, ...] = ()
    lost: tuple[PlannedStep, ...] = ()
    escalate: str = ""
    freeze: str = ""
    reason: str = ""
    waiting: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, now or later."""
        return not (self.begin or self.lost or self.escalate or self.freeze or self.waiting)


def steps_of(levels: Levels, found: Progress, level: str, group: bool) -> tuple[PlannedStep, ...]:
    """The steps of one level; a group's system level begins by turning its other migrations."""
    steps = compile_steps(levels, level, found.component)
    if level == "system" and group:
        first = Step(name=GROUP_STEP, method="flag", action=SplitZero(kind="split_zero"),
                     limit=GROUP_LIMIT)  # fmt: skip
        steps = (
            PlannedStep(first, level, ()),
            *(replace(each, after=each.after or (GROUP_STEP,)) for each in steps),
        )
    return steps


def due(levels: Levels, found: Progress, now: float, *, group: bool = False) -> Due:
    """What is due at ``now``. Steps that run elsewhere are left to whoever runs them until their
    time is over; a level that failed lets its running steps end, and begins no other."""
    if found.frozen:
        return Due()
    order = _levels(found)
    for level in order:
        last = level == order[-1]
        answer = _level(levels, found, level, now, group, last)
        if not answer.over:
            return answer
    return Due()


def _levels(found: Progress) -> tuple[str, ...]:
    """Levels that count, smallest first: a component that was escalated is part of another
    incident, and is left."""
    if found.levels[0] == "component":
        return ("component",) if len(found.levels) == 1 else ()
    return tuple(level for level in LEVELS if level in found.levels)


def _level(levels: Levels, found: Progress, level: str, now: float, group: bool, last: bool) -> Due:
    steps = steps_of(levels, found, level, group)
    runs = {planned.name: found.run(planned) for planned in steps}
    lost = tuple(each for each in steps if _dead(runs[each.name], now) and not _again(each, runs))
    if lost:
        return Due(lost=lost)
    alive = [run.until for run in runs.values() if run and not run.outcome and run.until > now]
    waiting = max(alive, default=0.0)
    failed = [each for each in steps if _stops(each, runs[each.name])]
    if failed:
        if waiting:
            return Due(waiting=waiting)
        # What was passed over led to the next level already, or a person went on there.
        fresh = [each for each in failed if last or (level, each.name) not in found.passed_over]
        answers = [_failure(levels, found, each, group) for each in fresh]
        answers.sort(key=lambda answer: not answer.freeze)
        answer = next(iter(answers), Due())
        # Who asked for the next level is there already.
        return answer if last or answer.freeze else Due()
    begin = tuple(
        each for each in steps
        if (runs[each.name] is None or _dead(runs[each.name], now)) and _free(each, steps, runs)
    )  # fmt: skip
    return Due(begin=begin, waiting=waiting)


def _failure(levels: Levels, found: Progress, failed: PlannedStep, group: bool) -> Due:
    """What a failed step makes of the rollback, by the plan's rule."""
    run = found.run(failed)
    assert run is not None, "it ran, as it failed"
    name, level = failed.name, failed.level
    if run.outcome == "unknown":
        return Due(freeze=name, reason=f"step {name} of level {level}: {run.summary}")
    stops, why = stopped_by(
        levels, failed, no_return=found.no_return, begun=_passed(levels, found), group=group
    )
    reason = f"step {name} of level {level} failed: {run.summary}" + (f"; {why}" if why else "")
    return Due(freeze=name, reason=reason) if stops else Due(escalate=name, reason=reason)


def stopped_by(
    levels: Levels, failed: PlannedStep, *, no_return: bool, begun: str, group: bool
) -> tuple[bool, str]:
    """Whether a failure freezes the rollback instead of leading to the next level, and why, where
    that is not the plan's own rule; ``begun`` names a step that nothing takes back."""
    if failed.step.on_failure == "freeze":
        return True, ""
    if no_return:
        return True, "the point of no return is passed"
    if begun:
        return True, f"nothing takes step {begun} back, which began"
    level = failed.level
    further = level == "component" or (level == "service" and (group or levels.system))
    return (False, "") if further else (True, "there is no further level")


def _passed(levels: Levels, found: Progress) -> str:
    """A step that nothing takes back and that has begun; empty where there is none."""
    for level in found.levels:
        for planned in compile_steps(levels, level, found.component):
            if planned.step.no_return and found.run(planned) is not None:
                return planned.name
    return ""


def _dead(run: StepRun | None, now: float) -> bool:
    """Whether whoever ran it can't be alive: it would have said how it ended."""
    return run is not None and not run.outcome and now >= run.until


def _again(planned: PlannedStep, runs: Mapping[str, StepRun | None]) -> bool:
    run = runs[planned.name]
    return planned.step.again and run is not None and run.attempt < ATTEMPTS


def _stops(planned: PlannedStep, run: StepRun | None) -> bool:
    """Whether it ended so that its level can't go on by itself."""
    if run is None or run.outcome not in ("failed", "unknown"):
        return False
    return run.outcome == "unknown" or planned.step.on_failure != "continue"


def _free(
    planned: PlannedStep, steps: Sequence[PlannedStep], runs: Mapping[str, StepRun | None]
) -> bool:
    """Whether all that comes first has ended, and let it begin."""
    by_name = {each.name: each for each in steps}
    for name in planned.after:
        run = runs.get(name)
        if run is None or not run.outcome or _stops(by_name[name], run):
            return False
    return True

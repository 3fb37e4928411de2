"""What a rollback would do, exactly, without doing any of it: from the very lists that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from switchover.engine.context import Case, Context
from switchover.engine.roll_back_levels import component_flags, is_back
from switchover.engine.rollback_progress import Progress, stopped_by
from switchover.engine.rollback_standing import opened, planned_steps
from switchover.errors import PointOfNoReturn, Refused
from switchover.machine.state import RETRY, Phase
from switchover.plan.rollback_steps import GROUP_STEP, PlannedStep, action_words, waves
from switchover.plan.units import spoken


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """A step as it would run: those with the same ``level`` and ``wave`` begin at the same time,
    ``limit`` is in seconds, ``failure`` says what a failure leads to, and why."""

    migration: str
    level: str
    wave: int
    name: str
    method: str
    action: dict[str, Any]
    words: str
    limit: float
    after: tuple[str, ...]
    probes: tuple[dict[str, Any], ...]
    on_failure: str
    failure: str
    repeatable: bool
    no_return: bool
    reverse: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen, in order: ``traffic`` first, then the ``steps``; ``warnings`` say what
    would go wrong."""

    migration: str
    level: str
    component: str
    traffic: tuple[str, ...]
    steps: tuple[PreviewStep, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The same for people."""
        what = f"component {self.component}" if self.level == "component" else self.level
        yield f"{self.migration}: a rollback at level {what} would, in this order:"
        yield from (f"  at once   {line}" for line in self.traffic)
        place = None
        for step in self.steps:
            side = [each.name for each in self.steps
                    if (each.migration, each.level, each.wave)
                    == (step.migration, step.level, step.wave)]  # fmt: skip
            if place != (step.migration, step.level):
                place = (step.migration, step.level)
                yield f"  {step.level} steps of {step.migration}:"
            yield f"  {step.wave:>3}. {step.name} ({step.method}, at most {spoken(step.limit)})"
            yield f"       {step.words}"
            if step.after:
                yield f"       after {', '.join(step.after)}"
            if len(side) > 1:
                others = ", ".join(name for name in side if name != step.name)
                yield f"       at the same time as {others}"
            yield from (f"       then has to hold: {_probe(probe)}" for probe in step.probes)
            yield f"       a failure {step.failure}"
            if step.no_return:
                yield "       nothing takes it back"
        if not self.steps:
            yield "  and take no further step"
        yield from (f"  warning: {line}" for line in self.warnings)
        yield "Nothing was done."


def preview(
    context: Context, migration: str, level: str, component: str = "", *, insist: bool = False,
    allowed: frozenset[str] = frozenset(),
) -> Preview:  # fmt: skip
    """What a rollback of ``level`` would do now. Reads the ledger, and nothing else.

    Raises what the rollback would raise: ``InputError`` for an unknown component,
    ``PointOfNoReturn`` unless ``insist``, ``Refused`` where nothing is left to go back.
    """
    case = context.open(migration)
    back = case.state.phase in RETRY
    if case.state.no_return and not insist and level != "component":
        raise PointOfNoReturn(migration)
    if level == "component":
        if back:
            raise Refused(f"{migration} is on legacy with everything already")
        traffic: tuple[str, ...] = tuple(_component(case, component))
        steps = _steps(case, "component", component)
    else:
        others = _others(case) if level == "system" else []
        traffic = tuple(line for each in [case, *others] for line in _traffic(each))
        asked = level == "system"
        steps = [
            step for each in [case, *others]
            for step in _steps(each, "service", "", entered=asked and each is case)
        ]  # fmt: skip
        if level == "system":
            steps += _steps(case, "system", "")
    warnings = tuple(_warnings(case, steps, allowed))
    return Preview(migration, level, component, traffic, tuple(steps), warnings)


def _component(case: Case, component: str) -> Iterator[str]:
    flags = component_flags(case, component)
    if is_back(case, component, flags):
        yield f"component {component} is back already: incident {case.state.incident} stands"
        return
    yield f"switch off {', '.join(flags)}" if flags else f"no flag belongs to {component}"
    yield f"hold {case.state.migration}; the candidate goes on to serve {_served(case)}"
    yield "open an incident and tell people"


def _traffic(case: Case) -> Iterator[str]:
    name, state = case.state.migration, case.state
    if state.phase is Phase.ROLLED_BACK:
        yield f"{name} is rolled back already: incident {state.incident} stands"
        return
    yield f"send all traffic of {name} to legacy, in one write (now: {_served(case)} on candidate)"
    if state.candidate_flags:
        yield f"that switches off {', '.join(state.candidate_flags)}"
    yield "open an incident and tell people"


def _served(case: Case) -> str:
    return f"{case.state.snapshot().served / 100:g} %"


def _others(case: Case) -> list[Case]:
    """The group's other migrations that would turn."""
    group = case.plan.group
    states = case.context.fleet.groups.get(group.name, []) if group else []
    return [
        case.context.open(state.migration) for state in states
        if state.migration != case.state.migration
        and state.phase not in RETRY
    ]  # fmt: skip


def _steps(case: Case, level: str, component: str, *, entered: bool = False) -> list[PreviewStep]:
    """The steps of a level that are not on record yet; ``entered`` says that the next one is asked
    for anyway."""
    back = case.state.phase is Phase.ROLLED_BACK or (
        level == "component" and is_back(case, component, component_flags(case, component))
    )
    found = opened(case) if back else Progress("", (level,), component)
    planned = planned_steps(case, found, level)
    return [
        _step(case, each, number, _failure(case, each, planned, entered))
        for number, wave in enumerate(waves(planned), start=1) for each in wave
        if found.run(each) is None
    ]  # fmt: skip


def _failure(case: Case, failed: PlannedStep, level: Sequence[PlannedStep], entered: bool) -> str:
    """What a failure of the step leads to, by the rule that the rollback itself goes by."""
    if failed.step.on_failure == "continue":
        return "stops nothing"
    levels, group = case.plan.rollback.levels, case.plan.group is not None
    first = _first(failed, level)
    begun = next((each.name for each in first if each.step.no_return), "")
    stops, why = stopped_by(
        levels, failed, no_return=case.state.no_return, begun=begun, group=group
    )
    if stops:
        return "stops the steps and pages people" + (f": {why}" if why else "")
    beside = [
        each.name for each in level if each.step.no_return and failed not in _first(each, level)
    ]
    unless = f"; once {' or '.join(beside)} has begun, it stops and pages people" if beside else ""
    if failed.level == "component":
        name = case.state.migration
        return f"sends all traffic of {name} to legacy, and the steps of service follow{unless}"
    names = ", ".join([*[GROUP_STEP] * group, *(each.name for each in levels.system)])
    rest = "leaves the rest of its level and goes on with" if entered else "goes on at level"
    return f"{rest} system: {names}{unless}"


def _first(step: PlannedStep, level: Sequence[PlannedStep]) -> list[PlannedStep]:
    """The step itself, and all that have ended when it begins."""
    by_name = {each.name: each for each in level}
    found, todo = list[PlannedStep](), [step.name]
    while todo:
        each = by_name[todo.pop()]
        if each not in found:
            found.append(each)
            todo += each.after
    return found


def _step(case: Case, planned: PlannedStep, number: int, failure: str) -> PreviewStep:
    step = planned.step
    group = (planned.level, planned.name) == ("system", GROUP_STEP)
    words = "roll back the group's other migrations" if group else action_words(step.action)
    return PreviewStep(
        migration=case.state.migration, level=planned.level, wave=number, name=step.name,
        method=step.method, action=step.action.model_dump(), words=words, limit=planned.seconds,
        after=planned.after, probes=tuple(probe.model_dump() for probe in step.probes),
        on_failure=step.on_failure, failure=failure, repeatable=step.again,
        no_return=step.no_return,
        reverse=step.reverse.model_dump() if step.reverse else None,
    )  # fmt: skip


def _warnings(case: Case, steps: list[PreviewStep], allowed: frozenset[str]) -> Iterator[str]:
    for step in steps:
        program = step.action["argv"][0] if step.action["kind"] == "command" else ""
        if program and program not in allowed:
            yield (f"step {step.name} may not run {program} here; add it to "
                   "SWITCHOVER_ALLOW_COMMANDS of whoever runs the steps")  # fmt: skip
    if case.state.no_return:
        yield "the point of no return is passed: a step that fails stops all and pages people"


def _probe(probe: dict[str, Any]) -> str:
    return f"{probe['name']} ({probe['kind']}, at most {spoken(probe['timeout'])})"

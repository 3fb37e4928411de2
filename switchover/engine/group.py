"""Groups: what a migration waits for in others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from switchover.engine.context import Case
from switchover.engine.fleet import Fleet
from switchover.machine.state import TERMINAL, Phase, State
from switchover.plan.group import Dependency
from switchover.plan.together import circle, place_of

#: Of many members that are awaited so many are named.
NAMED = 5

#: Phases in which a migration gives others nothing to rest on.
_GONE = (Phase.ROLLED_BACK, Phase.ABORTED)


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """What stands in a migration's way: ``awaited`` others, or one ``deserted`` it, on which a
    stage that has begun rests. Sentences, empty where there is nothing."""

    awaited: str = ""
    deserted: str = ""


def standing(case: Case) -> GroupStanding:
    """What the migration's group asks for now."""
    group, state = case.plan.group, case.state
    if group is None or state.phase in TERMINAL:
        return GroupStanding()
    fleet = case.context.fleet
    awaited: list[str] = []
    deserted: list[str] = []
    for need in group.depends_on:
        gate = place_of(need.before, case.stages) or len(case.stages)
        other = fleet.states.get(need.migration)
        if other is not None and _has_reached(other, need, fleet):
            continue
        where = _where(fleet, need.migration)
        if state.stage >= gate:
            deserted.append(
                f"{case.stages[gate].title} rests on {need.reached} of {need.migration}, "
                f"which {where}"
            )
        elif state.stage + 1 >= gate or (other is not None and other.phase in _GONE):
            awaited.append(f"{need.migration} at {need.reached}, which {where}")
    for place in group.barrier:
        if place_of(place, case.stages) == state.stage + 1:
            awaited += _missed(case.state.migration, group.name, place, fleet)
    if not awaited:
        return GroupStanding(deserted="; ".join(deserted))
    title = case.stages[min(state.stage + 1, len(case.stages) - 1)].title
    words = f"group {group.name}: {title} waits for {'; '.join(awaited)}"
    around = fleet.once(("circle", group.name), lambda: _circle(group.name, fleet))
    if around:
        words += (
            f"; this never ends, as {around}: abort one, and start it with a plan that waits for "
            "less"
        )
    return GroupStanding(words, "; ".join(deserted))


def _has_reached(other: State, need: Dependency, fleet: Fleet) -> bool:
    if other.phase in _GONE or other.phase is Phase.COMPLETE:
        return other.phase is Phase.COMPLETE
    if need.reached.endswith("%"):
        return other.split >= round(float(need.reached[:-1]) * 100)
    index = place_of(need.reached, fleet.member(other.migration).stages)
    return index is not None and other.stage >= index


def _missed(migration: str, group: str, place: str, fleet: Fleet) -> list[str]:
    """Whom a migration waits for at a barrier; of many, the first few by name."""
    absent = fleet.once(("barrier", group, place), lambda: list(_absent(group, place, fleet)))
    others = [name for name in absent[: NAMED + 1] if name != migration]
    told = [f"{name}, which {_where(fleet, name)}" for name in others[:NAMED]]
    if len(absent) > NAMED + 1 or len(others) > NAMED:
        told.append(f"others of {group}, {len(fleet.groups[group])} in all")
    return told


def _absent(group: str, place: str, fleet: Fleet) -> Iterator[str]:
    """Members of the group that do not stand ready for the barrier, and are not past it."""
    fleet.gather(group)
    for other in fleet.groups.get(group, ()):
        # An aborted one takes no part any more, as somebody decided; a complete one is past all.
        if other.phase in (Phase.ABORTED, Phase.COMPLETE):
            continue
        stages = fleet.member(other.migration).stages
        index = place_of(place, stages)
        if not stages:
            # Nobody can say where it stands, so that it is awaited.
            yield other.migration
        elif index is None or (other.stage >= index and other.phase is not Phase.ROLLED_BACK):
            continue
        elif not (other.stage == index - 1 and _ready(other, fleet)):
            yield other.migration


def _ready(state: State, fleet: Fleet) -> bool:
    """Whether the present stage has given all it must, by what is on record."""
    if state.phase not in (Phase.RUNNING, Phase.AWAITING_APPROVAL):
        return False
    stage = fleet.member(state.migration).stages[state.stage]
    if stage.kind == "start":
        return True
    return state.work is not None and state.work.ok if stage.work else state.verdict == "promote"


def _where(fleet: Fleet, migration: str) -> str:
    """Where another migration stands, after ``which``."""
    state = fleet.states.get(migration)
    if state is None:
        return "has not been started (switchover start PLAN)"
    if state.phase in _GONE:
        words = "rolled back" if state.phase is Phase.ROLLED_BACK else "was aborted"
        reason = f": {state.reason}" if state.reason else ""
        return f"{words}{reason}; it has to be started again"
    stages = fleet.member(migration).stages
    if not stages:
        return "has a plan that this version can't read"
    title = stages[state.stage].title
    if state.phase is Phase.RUNNING:
        words = f", verdict {state.verdict.replace('_', ' ')}" if state.verdict else ""
        return f"is at {title}{words}"
    return f"is at {title}, {state.phase.value.replace('_', ' ')}"


def _circle(group: str, fleet: Fleet) -> str:
    """Where members of a group and those that they rest on wait for each other in a circle."""
    fleet.gather(group)
    names = {state.migration: None for state in fleet.groups.get(group, ())}
    queue = list(names)
    for name in queue:
        section = fleet.member(name).group
        for need in section.depends_on if section else ():
            if need.migration in fleet.states and need.migration not in names:
                names[need.migration] = None
                queue.append(need.migration)
    return circle([fleet.member(name) for name in names])

"""How the plans of a group fit together: where a place lies, and who waits for whom in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from switchover.plan.group import Group
from switchover.plan.spec import Plan
from switchover.plan.stages import Stage, compile_stages

#: A stage of a migration, or where a group meets: its name, the place, and no index.
Node = tuple[str, int] | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Member:
    """A migration, as far as others meet it."""

    migration: str
    stages: Sequence[Stage]
    group: Group | None


def place_of(place: str, stages: Sequence[Stage]) -> int | None:
    """The first stage that lies at ``place``: with so much of the split, or with that key."""
    if place.endswith("%"):
        split = round(float(place[:-1]) * 100)
        found = (s.index for s in stages if s.kind in ("canary", "complete") and s.split >= split)
        return next(found, None)
    return next((stage.index for stage in stages if stage.key == place), None)


def misfits(plans: Sequence[Plan]) -> list[tuple[str, str]]:
    """Why these plans can't move together: what is wrong, and what to do."""
    members = [Member(plan.migration, compile_stages(plan), plan.group) for plan in plans]
    found = list(_unknown(members))
    around = circle(members)
    if around:
        found.append((f"{around}: none of them can ever begin", "let one wait for less"))
    return found


def _unknown(members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    known = {member.migration: member for member in members}
    for member in members:
        for need in member.group.depends_on if member.group else ():
            other = known.get(need.migration)
            if other is None:
                yield (
                    f"{member.migration} waits for {need.migration}, which is none of these plans",
                    "give its plan with --with, or mend the name",
                )
            elif place_of(need.reached, other.stages) is None:
                keys = ", ".join(stage.key for stage in other.stages)
                yield (
                    f"{member.migration} waits for {need.reached} of {need.migration}, which has "
                    "no such stage",
                    f"write a share, or one of {keys}",
                )


def circle(members: Sequence[Member]) -> str:
    """Stages that wait for each other in a circle, in words; empty when all can be reached."""
    known = {member.migration: member for member in members}
    done: set[Node] = set()
    for member in members:
        for stage in member.stages:
            found = _circle((member.migration, stage.index), known, done)
            if found:
                stages = [(n, i) for n, i in found if isinstance(i, int)]
                # Where it was found at a barrier, it begins and ends there.
                stages += stages[:1] if stages[0] != stages[-1] else []
                return " waits for ".join(f"{n}'s {known[n].stages[i].title}" for n, i in stages)
    return ""


def _circle(start: Node, known: Mapping[str, Member], done: set[Node]) -> list[Node]:
    """A way from a stage back to itself; without recursion, as groups may be large."""
    path: list[Node] = [start]
    on_path = {start}
    ways = [_awaited(start, known)]
    while path:
        following = next(ways[-1], None) if path[-1] not in done else None
        if following is None:
            on_path.discard(path[-1])
            done.add(path.pop())
            ways.pop()
        elif following in on_path:
            return [*path[path.index(following) :], following]
        elif following not in done:
            path.append(following)
            on_path.add(following)
            ways.append(_awaited(following, known))
    return []


def _awaited(node: Node, known: Mapping[str, Member]) -> Iterator[Node]:
    """The stages that must have begun before this one can."""
    name, index = node
    if isinstance(index, str):
        yield from _before_barrier(name, index, known)
        return
    member = known[name]
    for need in member.group.depends_on if member.group else ():
        other = known.get(need.migration)
        if other is not None and place_of(need.before, member.stages) == index:
            reached = place_of(need.reached, other.stages)
            if reached is not None:
                yield need.migration, reached
    for place in member.group.barrier if member.group else ():
        # Not to each member by itself: those would be as many ways as pairs of members.
        if member.group and place_of(place, member.stages) == index:
            yield member.group.name, place
    if index:
        yield name, index - 1


def _before_barrier(group: str, place: str, known: Mapping[str, Member]) -> Iterator[Node]:
    """The stages in which the members of a group stand ready for a barrier."""
    for member in known.values():
        meeting = place_of(place, member.stages)
        if meeting and member.group is not None and member.group.name == group:
            yield member.migration, meeting - 1

"""Rules of agreement, compiled once into functions that walk two answers side by side.

A check gives None where there was nothing to compare, an empty sequence where both sides agree,
and otherwise the differences, each with its steps from the inside out. Places that no rule names
are compared in one go, or not even looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any

from switchover.judge.comparator import Comparator, Itemwise, exact, ignore
from switchover.judge.comparators.items import by_key
from switchover.judge.equality import alike, equal, unlike
from switchover.judge.path import ANY, Step, reach

#: Differences reported of one pair of answers at most.
MOST = 20
#: Levels below the last rule that are told apart; what lies deeper is one difference.
DEEPEST = 50
#: In place of a value that is not there.
MISSING: Any = object()


@dataclass(slots=True)
class Difference:
    """One place in which the answers differ."""

    legacy: Any
    candidate: Any
    why: str
    steps: list[Step] = field(default_factory=list)


Found = Sequence[Difference] | None
Check = Callable[[Any, Any], Found]

_AGREED: Found = ()


@dataclass(slots=True)
class Node:
    """The rules at one place and below. ``key`` pairs the items of two lists."""

    comparator: Comparator | None = None
    key: str | None = None
    children: dict[Step, Node] = field(default_factory=dict)

    @property
    def compares(self) -> bool:
        """Whether anything here or below is compared."""
        if self.comparator is not None:
            return self.comparator is not ignore
        return self.key is not None or any(child.compares for child in self.children.values())


def compiled(node: Node, default: Comparator) -> Check:
    """The check of a tree of rules; ``default`` is exact or ignore."""
    if node.comparator is not None:
        return nothing if node.comparator is ignore else _leaf(node.comparator)
    rest: Check = nothing if default is ignore else everything
    whole = _leaf(exact) if default is exact or node.compares else nothing
    if node.key is not None:
        below = node.children.get(ANY)
        return _keyed(node.key, compiled(below, default) if below else everything, whole)
    if not node.children:
        return rest
    any_step = node.children.get(ANY)
    named = {
        step: compiled(child if any_step is None else _merged(child, any_step), default)
        for step, child in node.children.items()
        if step != ANY
    }
    if any_step is None:
        return _branch(named, rest, whole)
    return _branch(named, compiled(any_step, default), whole, _unlike(any_step))


def nothing(legacy: Any, candidate: Any) -> Found:
    """The check of places that do not matter."""
    return None


def everything(legacy: Any, candidate: Any) -> Found:
    """The check of places that have to be equal; it tells which parts are not."""
    # Two missing values never come here, so a missing one is like nothing.
    return _AGREED if alike(legacy, candidate) else _differences(legacy, candidate, DEEPEST)


def _leaf(comparator: Comparator) -> Check:
    def check(legacy: Any, candidate: Any) -> Found:
        if legacy is MISSING or candidate is MISSING:
            return [_missing(legacy, candidate)]
        why = comparator(legacy, candidate)
        # Whatever a rule expects: an answer that is the same is the same.
        if why is None or (comparator is not exact and equal(legacy, candidate)):
            return _AGREED
        return [Difference(legacy, candidate, why)]

    return check


#: The places of two lists of one length at which items may differ; all others agree.
_Unlike = Callable[[list[Any], list[Any]], Sequence[int]]


def _unlike(node: Node) -> _Unlike | None:
    """What tells quickly which items of two lists may differ by the rule of each."""
    comparator = node.comparator
    if comparator is None or comparator is ignore:
        return None
    return comparator.unlike if isinstance(comparator, Itemwise) else unlike


def _branch(
    named: Mapping[Step, Check],
    other: Check,
    whole: Check,
    suspects: _Unlike | None = None,
) -> Check:
    """The check of an object or a list whose parts have rules of their own."""
    fields = [(step, check) for step, check in named.items() if isinstance(step, str)]
    places = [(step, check) for step, check in named.items() if isinstance(step, int)]

    def parts(legacy: dict[Any, Any], candidate: dict[Any, Any]) -> Iterable[_Part]:
        if other is nothing:
            for name, check in fields:
                pair = legacy.get(name, MISSING), candidate.get(name, MISSING)
                if pair[0] is not MISSING or pair[1] is not MISSING:
                    yield name, check, *pair
            return
        for name, value in legacy.items():
            yield name, named.get(name, other), value, candidate.get(name, MISSING)
        if not candidate.keys() <= legacy.keys():
            for name, value in candidate.items():
                if name not in legacy:
                    yield name, named.get(name, other), MISSING, value

    def items(legacy: list[Any], candidate: list[Any]) -> Iterable[_Part]:
        if other is nothing:
            for place, check in places:
                one = legacy[place] if place < len(legacy) else MISSING
                other_one = candidate[place] if place < len(candidate) else MISSING
                if one is not MISSING or other_one is not MISSING:
                    yield place, check, one, other_one
            return
        if suspects is None or places:
            for place, pair in enumerate(zip_longest(legacy, candidate, fillvalue=MISSING)):
                yield place, named.get(place, other), *pair
            return
        both = min(len(legacy), len(candidate))
        for place in (
            suspects(legacy, candidate)
            if len(legacy) == len(candidate)
            else suspects(legacy[:both], candidate[:both])
        ):
            yield place, other, legacy[place], candidate[place]
        for place in range(both, len(legacy)):
            yield place, other, legacy[place], MISSING
        for place in range(both, len(candidate)):
            yield place, other, MISSING, candidate[place]

    def check(legacy: Any, candidate: Any) -> Found:
        if isinstance(legacy, dict) and isinstance(candidate, dict):
            return _gathered(parts(legacy, candidate))
        if isinstance(legacy, list) and isinstance(candidate, list):
            found = _gathered(items(legacy, candidate))
            # Where no item is suspected, both lists agree; two empty ones say nothing.
            agreed = found is None and suspects is not None and not places and legacy
            return _AGREED if agreed else found
        return whole(legacy, candidate)

    return check


#: A step, how to compare there, and both values.
_Part = tuple[Step, Check, Any, Any]


def _keyed(key: str, inner: Check, whole: Check) -> Check:
    """The check of two lists whose items belong together by key, wherever they stand."""
    find, absent = reach(key), (0, MISSING)

    def check(legacy: Any, candidate: Any) -> Found:
        if not isinstance(legacy, list) or not isinstance(candidate, list):
            return whole(legacy, candidate)
        left, right = by_key(legacy, find), by_key(candidate, find)
        # A list that both have empty is compared as well, and the same.
        sorted_alike = [right[name][1] for name in left if name in right]
        if inner is everything and len(left) == len(right) and alike(legacy, sorted_alike):
            return _AGREED
        parts: list[_Part] = [
            (place, inner, item, right.get(name, absent)[1]) for name, (place, item) in left.items()
        ]
        parts += [
            (place, inner, MISSING, item)
            for name, (place, item) in right.items()
            if name not in left
        ]
        return _gathered(parts) if parts else _AGREED

    return check


def _gathered(parts: Iterable[_Part]) -> Found:
    compared = False
    found: list[Difference] = []
    for step, check, legacy, candidate in parts:
        result = check(legacy, candidate)
        if result is None:
            continue
        compared = True
        for difference in result:
            difference.steps.append(step)
            found.append(difference)
        if len(found) >= MOST:
            break
    return found[:MOST] if compared else None


def _differences(legacy: Any, candidate: Any, levels: int) -> Found:
    """Where two values differ that are not alike at a glance; nowhere, if a closer look says so."""
    if legacy is MISSING or candidate is MISSING:
        return [_missing(legacy, candidate)]
    both_objects = isinstance(legacy, dict) and isinstance(candidate, dict)
    if levels and (both_objects or (isinstance(legacy, list) and isinstance(candidate, list))):
        below = partial(_below, levels - 1)
        return _branch({}, below, nothing, unlike)(legacy, candidate) or _AGREED
    return _AGREED if equal(legacy, candidate) else [Difference(legacy, candidate, "differs")]


def _below(levels: int, legacy: Any, candidate: Any) -> Found:
    return _AGREED if alike(legacy, candidate) else _differences(legacy, candidate, levels)


def _missing(legacy: Any, candidate: Any) -> Difference:
    side = "legacy" if legacy is MISSING else "candidate"
    return Difference(legacy, candidate, f"missing in {side}")


def _merged(special: Node, general: Node) -> Node:
    """The rules for one step together with those for any; what is said of the one wins."""
    if special.comparator is not None or general.comparator is not None:
        return special
    children = dict(general.children)
    for step, child in special.children.items():
        children[step] = _merged(child, children[step]) if step in children else child
    key = special.key or general.key
    if key is not None and children.keys() - {ANY}:
        raise ValueError(f"agreement: a list keyed by {key} has a rule for one index")
    return Node(key=key, children=children)

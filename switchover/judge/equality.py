"""Equality of JSON values: 1 equals 1.0, true is not 1, and not-a-number equals itself."""

from __future__ import annotations

import marshal
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

#: Types among which equality in Python is equality in JSON.
_PLAIN = frozenset({str, int, float, type(None)})


def equal(legacy: Any, candidate: Any) -> bool:
    """Whether two values are the same JSON, however deep they nest."""
    if type(legacy) in _PLAIN and type(candidate) in _PLAIN:
        return bool(legacy == candidate or (legacy != legacy and candidate != candidate))
    return alike(legacy, candidate) or _equal_by_pieces(legacy, candidate)


def alike(legacy: Any, candidate: Any) -> bool:
    """Whether two values are the same at a glance; False also where only a closer look tells.

    Python compares whole documents in C. What it takes for equal and JSON does not, true and 1,
    is looked for afterwards.
    """
    try:
        return bool(legacy == candidate) and _same_types(legacy, candidate)
    except RecursionError:
        return False


def unlike(legacy: list[Any], candidate: list[Any]) -> Sequence[int]:
    """The places at which items of two lists of one length may differ; the others are the same.

    Python tells unequal items apart in C, so one difference among many does not cost a closer
    look at each.
    """
    try:
        places = [
            place
            for place, (one, other) in enumerate(zip(legacy, candidate, strict=True))
            if one != other
        ]
        if _PLAIN.issuperset(map(type, legacy)) and _PLAIN.issuperset(map(type, candidate)):
            return places
        # The rest is equal to Python, and need not be to JSON.
        differing = set(places)
        same = [place for place in range(len(legacy)) if place not in differing]
        rest = [legacy[place] for place in same], [candidate[place] for place in same]
        return places if _same_types(*rest) else range(len(legacy))
    except RecursionError:
        return range(len(legacy))


def _same_types(legacy: Any, candidate: Any) -> bool:
    """Whether true stands against 1 nowhere in two values that Python takes for equal."""
    return _same_bytes(legacy, candidate) or not _mixes_booleans(legacy, candidate)


def _same_bytes(legacy: Any, candidate: Any) -> bool:
    """Whether both are written alike, types included; False where that is not known.

    Version 2 of the format has no references: what it writes depends on the value alone.
    """
    if not isinstance(legacy, list | dict):
        return type(legacy) is type(candidate)
    try:
        return marshal.dumps(legacy, 2) == marshal.dumps(candidate, 2)
    except ValueError:
        # It writes neither what is nested very deep nor the types of other libraries.
        return False


def token(value: Any) -> Hashable:
    """What stands for a value in sets and as a key: the tokens of equal values are equal."""
    if isinstance(value, bool):
        return bool, value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if value == value else (float, "nan")
    if isinstance(value, list):
        return list, tuple(map(token, value))
    if isinstance(value, dict):
        return dict, frozenset((name, token(item)) for name, item in value.items())
    return type(value), repr(value)


def tokens(values: Iterable[Any]) -> set[Hashable]:
    """The tokens of some values."""
    return set(map(token, values))


def _mixes_booleans(legacy: Any, candidate: Any) -> bool:
    """Whether true stands against 1 somewhere in two values that Python takes for equal."""
    if isinstance(legacy, list):
        kinds = {*map(type, legacy), *map(type, candidate)}
        return not kinds <= _PLAIN and any(map(_mixes_booleans, legacy, candidate))
    if isinstance(legacy, dict):
        kinds = {*map(type, legacy.values()), *map(type, candidate.values())}
        return not kinds <= _PLAIN and any(
            _mixes_booleans(value, candidate[name]) for name, value in legacy.items()
        )
    return isinstance(legacy, bool) is not isinstance(candidate, bool)


def _equal_by_pieces(legacy: Any, candidate: Any) -> bool:
    left = [(legacy, candidate)]
    while left:
        one, other = left.pop()
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            if _PLAIN.issuperset(map(type, one)) and _PLAIN.issuperset(map(type, other)):
                if any(a != b and (a == a or b == b) for a, b in zip(one, other, strict=True)):
                    return False
                continue
            left += zip(one, other, strict=True)
        elif isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            left += ((value, other[name]) for name, value in one.items())
        elif isinstance(one, list | dict) or isinstance(other, list | dict):
            return False
        elif one == other:
            if isinstance(one, bool) is not isinstance(other, bool):
                return False
        elif not (isinstance(one, float) and isinstance(other, float)
                  and one != one and other != other):  # fmt: skip
            return False
    return True

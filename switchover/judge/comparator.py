"""Field comparators: when two values of one field count as the same answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

#: Says why two values differ, in words without the values; None when they agree.
Comparator = Callable[[object, object], str | None]

_OPTIONS: dict[str, tuple[str, ...]] = {
    "exact": (),
    "number": ("absolute", "relative"),
    "category": ("same", "bounds", "categories"),
    "set": (),
    "ignore": (),
}


def build(field: Mapping[str, Any]) -> Comparator:
    """The comparator of one field of a plan. Raises ``ValueError`` naming the option."""
    name, path = field.get("compare", "exact"), field.get("path")
    if name not in _OPTIONS:
        raise ValueError(f"field {path}: unknown compare {name!r}; one of {', '.join(_OPTIONS)}")
    given = {key for key, value in field.items() if value is not None} - {"path", "compare"}
    wrong = sorted(given - set(_OPTIONS[name]))
    if wrong:
        raise ValueError(f"field {path}: {name} has no option {wrong[0]!r}")
    if name == "number":
        return _number(path, field.get("absolute"), field.get("relative"))
    if name == "category":
        return _category(path, field.get("same"), field.get("bounds") or field.get("categories"))
    return {"exact": exact, "set": as_set, "ignore": ignore}[name]


def exact(legacy: object, candidate: object) -> str | None:
    """Equal JSON; 1 equals 1.0, but true is not 1."""
    if legacy == candidate and not _mixes_booleans(legacy, candidate):
        return None
    if _is_number(legacy) and _is_number(candidate) and legacy != legacy and candidate != candidate:
        return None
    return "differs"


def ignore(legacy: object, candidate: object) -> str | None:
    """Whatever they are."""
    return None


def as_set(legacy: object, candidate: object) -> str | None:
    """Lists with the same items, whatever their order and number."""
    if not isinstance(legacy, list) or not isinstance(candidate, list):
        return "is not a list on both sides"
    if {_canonical(item) for item in legacy} == {_canonical(item) for item in candidate}:
        return None
    return "does not hold the same items"


def _number(path: object, absolute: Any, relative: Any) -> Comparator:
    for label, value in (("absolute", absolute), ("relative", relative)):
        if value is not None and (not _is_number(value) or not 0 <= value < math.inf):
            raise ValueError(f"field {path}: {label} must be a number from 0, not {value!r}")
    if absolute is None and relative is None:
        raise ValueError(f"field {path}: number needs a tolerance, absolute or relative")
    fixed, share = float(absolute or 0.0), float(relative or 0.0)

    def number(legacy: Any, candidate: Any) -> str | None:
        if isinstance(legacy, list) and isinstance(candidate, list):
            if len(legacy) != len(candidate):
                return "has another length"
            reasons = (number(a, b) for a, b in zip(legacy, candidate, strict=True))
            return next((reason for reason in reasons if reason), None)
        if not _is_number(legacy) or not _is_number(candidate):
            return None if legacy is None and candidate is None else "is not a number on both sides"
        if legacy == candidate or (legacy != legacy and candidate != candidate):
            return None
        # A hair of slack, so that 0.3 and 0.2 are 0.1 apart in floating point as well.
        allowed = max(fixed, share * abs(legacy)) + 1e-12 * abs(legacy)
        return None if abs(legacy - candidate) <= allowed < math.inf else "beyond the tolerance"

    return number


def _category(path: object, same: Any, bounds: Any) -> Comparator:
    if bounds is not None and (
        not isinstance(bounds, list | tuple)
        or not all(map(_is_number, bounds))
        or list(bounds) != sorted(bounds)
    ):
        raise ValueError(f"field {path}: bounds must be a rising list of numbers")
    if same is not None and not all(isinstance(group, list | tuple) for group in same):
        raise ValueError(f"field {path}: same must be a list of lists of labels")
    alias = {_label(label): index for index, group in enumerate(same or ()) for label in group}
    edges = tuple(bounds or ())

    def group_of(value: Any) -> object:
        if edges and _is_number(value):
            return sum(value >= edge for edge in edges)
        label = _label(value)
        return ("same", alias[label]) if label in alias else label

    def category(legacy: Any, candidate: Any) -> str | None:
        return None if group_of(legacy) == group_of(candidate) else "is another category"

    return category


def _label(value: object) -> str:
    return value.strip().casefold() if isinstance(value, str) else _canonical(value)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mixes_booleans(legacy: object, candidate: object) -> bool:
    """Whether true stands against 1 somewhere, which Python takes for equal."""
    if isinstance(legacy, bool) or isinstance(candidate, bool):
        return isinstance(legacy, bool) != isinstance(candidate, bool)
    if isinstance(legacy, dict) and isinstance(candidate, dict):
        return any(_mixes_booleans(value, candidate.get(key)) for key, value in legacy.items())
    if isinstance(legacy, list) and isinstance(candidate, list):
        return any(_mixes_booleans(a, b) for a, b in zip(legacy, candidate, strict=False))
    return False

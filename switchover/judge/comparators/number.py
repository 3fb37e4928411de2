"""Numbers, and lists of numbers, within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

_NUMBERS = frozenset({int, float})
#: A hair of slack, so that 0.3 and 0.2 are 0.1 apart in floating point as well.
_HAIR = 1e-12


def number(absolute: Any = None, relative: Any = None) -> Callable[[Any, Any], str | None]:
    """At most ``absolute`` apart, or the share ``relative`` of legacy's value; the larger counts.

    Lists are compared item by item. Raises ``ValueError`` without a usable tolerance.
    """
    for label, value in (("absolute", absolute), ("relative", relative)):
        if value is not None and (not is_number(value) or not 0 <= value < math.inf):
            raise ValueError(f"{label} must be a number from 0, not {value!r}")
    if absolute is None and relative is None:
        raise ValueError("number needs a tolerance, absolute or relative")
    fixed, share = float(absolute or 0.0), float(relative or 0.0)

    def compare(legacy: Any, candidate: Any) -> str | None:
        if isinstance(legacy, list) and isinstance(candidate, list):
            return compare_lists(legacy, candidate)
        if not is_number(legacy) or not is_number(candidate):
            return None if legacy is None and candidate is None else "is not a number on both sides"
        if legacy == candidate or (legacy != legacy and candidate != candidate):
            return None
        return None if _close(legacy, candidate, fixed, share) else "beyond the tolerance"

    def compare_lists(legacy: list[Any], candidate: list[Any]) -> str | None:
        if len(legacy) != len(candidate):
            return "has another length"
        if not (_NUMBERS.issuperset(map(type, legacy)) and _NUMBERS.issuperset(map(type, candidate))
                and _all_close(legacy, candidate, fixed, share)):  # fmt: skip
            # One of them is far away or no number: say what is wrong with the first.
            for pair in zip(legacy, candidate, strict=True):
                why = compare(*pair)
                if why is not None:
                    return why
        return None

    return compare


def is_number(value: object) -> bool:
    """An integer or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all_close(legacy: list[Any], candidate: list[Any], fixed: float, share: float) -> bool:
    """Whether no item is far away; False also where that can't be told at a glance."""
    try:
        for one, other in zip(legacy, candidate, strict=True):
            apart = abs(one - other)
            if not apart <= fixed and not apart <= share * abs(one):
                return False
    except OverflowError:
        return False
    return True


def _close(legacy: Any, candidate: Any, fixed: float, share: float) -> bool:
    try:
        allowed = max(fixed, share * abs(legacy)) + _HAIR * max(abs(legacy), abs(candidate))
        return bool(abs(legacy - candidate) <= allowed < math.inf)
    except OverflowError:
        # An integer beyond every float: exact arithmetic has room for it.
        if not (_finite(legacy) and _finite(candidate)):
            return False
        one, other = Fraction(legacy), Fraction(candidate)
        return abs(one - other) <= max(Fraction(fixed), Fraction(share) * abs(one))


def _finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)

"""Numbers, and lists of numbers, within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

_NUMBERS = frozenset({int, float})
#: A hair of slack, so that 0.3 and 0.2 are 0.1 apart in floating point as well.
_HAIR = 1e-12


class Number:
    """At most ``absolute`` apart, or the share ``relative`` of legacy's value; the larger counts.

    Lists are compared item by item. Raises ``ValueError`` without a usable tolerance.
    """

    def __init__(self, absolute: Any = None, relative: Any = None) -> None:
        for label, value in (("absolute", absolute), ("relative", relative)):
            if value is not None and (not is_number(value) or not 0 <= value < math.inf):
                raise ValueError(f"{label} must be a number from 0, not {value!r}")
        if absolute is None and relative is None:
            raise ValueError("number needs a tolerance, absolute or relative")
        self._fixed, self._share = float(absolute or 0.0), float(relative or 0.0)

    def __call__(self, legacy: Any, candidate: Any) -> str | None:
        """Why two numbers, or two lists of them, differ; of items the first that does."""
        if isinstance(legacy, list) and isinstance(candidate, list):
            if len(legacy) != len(candidate):
                return "has another length"
            found = (self(legacy[at], candidate[at]) for at in self.unlike(legacy, candidate))
            return next(filter(None, found), None)
        if not is_number(legacy) or not is_number(candidate):
            return None if legacy is None and candidate is None else "is not a number on both sides"
        if legacy == candidate or (legacy != legacy and candidate != candidate):
            return None
        close = _close(legacy, candidate, self._fixed, self._share)
        return None if close else "beyond the tolerance"

    def unlike(self, legacy: list[Any], candidate: list[Any]) -> Sequence[int]:
        """The places of two lists of one length at which items may be far apart, or no numbers;
        the others are close."""
        if not (
            _NUMBERS.issuperset(map(type, legacy)) and _NUMBERS.issuperset(map(type, candidate))
        ):
            return range(len(legacy))
        fixed, share = self._fixed, self._share
        try:
            return [
                place
                for place, (one, other) in enumerate(zip(legacy, candidate, strict=True))
                if not (apart := abs(one - other)) <= fixed and not apart <= share * abs(one)
            ]
        except OverflowError:
            return range(len(legacy))


def is_number(value: object) -> bool:
    """An integer or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


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

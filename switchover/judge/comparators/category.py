"""Categories: labels that mean the same, and numbers that fall between the same edges."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from switchover.judge.comparators.number import is_number
from switchover.judge.equality import token


def category(
    same: Any = None, bounds: Any = None, categories: Any = None
) -> Callable[[Any, Any], str | None]:
    """Labels but for case and outer spaces; ``same`` groups labels that mean one thing, and
    numbers agree between the same edges of ``bounds`` (in plans: ``categories``).

    Raises ``ValueError`` for groups or edges that are none.
    """
    bounds = bounds or categories
    if bounds is not None and (
        not isinstance(bounds, list | tuple)
        or not all(map(is_number, bounds))
        or list(bounds) != sorted(bounds)
    ):
        raise ValueError("bounds must be a rising list of numbers")
    if same is not None and not (
        isinstance(same, list | tuple) and all(isinstance(group, list | tuple) for group in same)
    ):
        raise ValueError("same must be a list of lists of labels")
    alias = {_label(label): index for index, group in enumerate(same or ()) for label in group}
    edges = tuple(bounds or ())

    def group_of(value: Any) -> Hashable:
        if edges and is_number(value) and value == value:
            return sum(bool(value >= edge) for edge in edges)
        label = _label(value)
        return ("same", alias[label]) if label in alias else ("label", label)

    def compare(legacy: Any, candidate: Any) -> str | None:
        return None if group_of(legacy) == group_of(candidate) else "is another category"

    return compare


def _label(value: object) -> Hashable:
    return value.strip().casefold() if isinstance(value, str) else token(value)

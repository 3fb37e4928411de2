"""Lists as wholes: the same items in any order, or the same items in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

from switchover.judge.equality import token, tokens
from switchover.judge.path import reach

_SIMPLE = frozenset({str, int, type(None)})
_NAMES = frozenset({str, int})
_NO_LISTS = "is not a list on both sides"


def as_set(legacy: Any, candidate: Any) -> str | None:
    """Lists with the same items, whatever their order and number."""
    if not isinstance(legacy, list) or not isinstance(candidate, list):
        return _NO_LISTS
    if _SIMPLE.issuperset(map(type, legacy)) and _SIMPLE.issuperset(map(type, candidate)):
        same = set(legacy) == set(candidate)
    else:
        same = tokens(legacy) == tokens(candidate)
    return None if same else "does not hold the same items"


def ordered(key: str | None = None) -> Callable[[Any, Any], str | None]:
    """Lists with the same items in the same order, as in a ranking.

    With ``key``, a path inside the items, only its values are compared. Raises ``ValueError``
    for a key that is no path.
    """
    find = reach(key) if key else None

    def compare(legacy: Any, candidate: Any) -> str | None:
        if not isinstance(legacy, list) or not isinstance(candidate, list):
            return _NO_LISTS
        one, other = ([_name(item, find) for item in items] for items in (legacy, candidate))
        if one == other:
            return None
        same = Counter(one) == Counter(other)
        return "is in another order" if same else "does not hold the same items"

    return compare


def _name(item: Any, find: Callable[[Any], Any] | None) -> Hashable:
    return token(item if find is None else find(item))


def by_key(items: list[Any], find: Callable[[Any], Any]) -> dict[Hashable, tuple[int, Any]]:
    """Position and item by key. Items that share a key, or have none, are told apart by which of
    them it is."""
    keys = [find(item) for item in items]
    if _NAMES.issuperset(map(type, keys)) and len(set(keys)) == len(keys):
        return dict(zip(keys, enumerate(items), strict=True))
    found: dict[Hashable, tuple[int, Any]] = {}
    seen: Counter[Hashable] = Counter()
    for place, key in enumerate(map(token, keys)):
        # The first of its kind is known by the key alone, as where all keys are different.
        found[(key, seen[key]) if seen[key] else key] = (place, items[place])
        seen[key] += 1
    return found

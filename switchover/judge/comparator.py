"""Field comparators: when two values of one field count as the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from switchover.judge.comparators.category import category
from switchover.judge.comparators.items import as_set, ordered
from switchover.judge.comparators.number import Number
from switchover.judge.comparators.text import text
from switchover.judge.comparators.timestamp import timestamp
from switchover.judge.equality import equal

#: Says why two values differ, in words without the values; None when they agree.
Comparator = Callable[[Any, Any], str | None]


@runtime_checkable
class Itemwise(Protocol):
    """A comparator that takes lists as well, and compares them item by item."""

    def unlike(self, legacy: list[Any], candidate: list[Any]) -> Sequence[int]:
        """The places of two lists of one length at which items may differ."""


def exact(legacy: Any, candidate: Any) -> str | None:
    """Equal JSON; 1 equals 1.0, but true is not 1."""
    return None if equal(legacy, candidate) else "differs"


def ignore(legacy: Any, candidate: Any) -> str | None:
    """Whatever they are."""
    return None


#: Comparators by their name in plans, each with the options it reads. ``keyed`` is no
#: comparator of values: it says which items of two lists belong together.
_MAKERS: dict[str, tuple[Callable[..., Comparator], tuple[str, ...]]] = {
    "exact": (lambda: exact, ()),
    "number": (Number, ("absolute", "relative")),
    "category": (category, ("same", "bounds", "categories")),
    "set": (lambda: as_set, ()),
    "order": (ordered, ("key",)),
    "keyed": (lambda key=None: exact, ("key",)),
    "text": (text, ("normalise",)),
    "timestamp": (timestamp, ("within",)),
    "ignore": (lambda owner=None, until=None: ignore, ("owner", "until")),
}


def build(field: Mapping[str, Any]) -> Comparator:
    """The comparator of one field of a plan. Raises ``ValueError`` naming the option."""
    name, path = field.get("compare", "exact"), field.get("path")
    if name not in _MAKERS:
        raise ValueError(f"field {path}: unknown compare {name!r}; one of {', '.join(_MAKERS)}")
    make, options = _MAKERS[name]
    given = {
        key: value
        for key, value in field.items()
        if value not in (None, [], ()) and key not in ("path", "compare")
    }
    wrong = sorted(given.keys() - set(options))
    if wrong:
        raise ValueError(f"field {path}: {name} has no option {wrong[0]!r}")
    try:
        return make(**given)
    except ValueError as error:
        raise ValueError(f"field {path}: {error}") from None

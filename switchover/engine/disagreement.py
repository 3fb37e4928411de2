"""Where two sides disagree on the state of a work item, and what the plan says to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from switchover.errors import InputError
from switchover.plan.work_items import ANY, MISSING, WorkItems
from switchover.ports import Item, ItemKey

#: Disagreements that are followed from one look to the next.
FOLLOWED = 10_000

REPORT = "report"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item whose states differ, each as its side calls it (``missing``: no such key).

    ``since`` is when it was last changed where that is known, else when it was first seen;
    ``rule`` the number of the plan's rule from 1, or 0 where none fits; ``refused`` says that
    the database did not allow the repair before.
    """

    key: ItemKey
    legacy: str
    candidate: str
    since: float
    rule: int = 0
    repair: str = REPORT
    refused: bool = False

    @property
    def pair(self) -> str:
        return f"{self.legacy} / {self.candidate}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Rules:
    """The plan's states and rules, ready to ask."""

    def __init__(self, spec: WorkItems) -> None:
        self._as_legacy = spec.states
        self._as_candidate = {legacy: candidate for candidate, legacy in spec.states.items()}
        self._rules = spec.rules

    def agree(self, legacy: Item | None, candidate: Item | None) -> bool:
        """Both are there, in the same state."""
        if legacy is None or candidate is None:
            return False
        return self._as_legacy.get(candidate.state, candidate.state) == legacy.state

    def judged(self, legacy: Item | None, candidate: Item | None, since: float) -> Disagreement:
        """What the first rule that fits makes of two sides that disagree."""
        item = legacy or candidate
        if item is None:
            raise AssertionError("an item is on one side at least")
        states = (name_of(legacy), name_of(candidate))
        for number, rule in enumerate(self._rules, start=1):
            if _fits(rule.legacy, states[0]) and _fits(rule.candidate, states[1]):
                repair = rule.repair if self._possible(rule.repair, *states) else REPORT
                return Disagreement(item.key, *states, since, number, repair)
        return Disagreement(item.key, *states, since)

    def _possible(self, repair: str, legacy: str, candidate: str) -> bool:
        """Rows are neither made nor deleted, as only its system knows what an item consists of;
        and a state for which the candidate has no name can't be given to it."""
        name = self._as_candidate.get(legacy, legacy)
        named = repair != "use_legacy" or self._as_legacy.get(name, name) == legacy
        return named and MISSING not in (legacy, candidate)

    def repaired(self, disagreement: Disagreement) -> tuple[str, str]:
        """The side that a repair changes, and the state it gets, by that side's own name."""
        if disagreement.repair == "use_legacy":
            return "candidate", self._as_candidate.get(disagreement.legacy, disagreement.legacy)
        return "legacy", self._as_legacy.get(disagreement.candidate, disagreement.candidate)


def _fits(wanted: str, state: str) -> bool:
    return wanted == state or (wanted == ANY and state != MISSING)


def name_of(item: Item | None) -> str:
    """An item's state, or ``missing``."""
    return MISSING if item is None else item.state


def paired(
    legacy: Iterable[Item], candidate: Iterable[Item]
) -> Iterator[tuple[Item | None, Item | None]]:
    """Both sides key by key, in one pass over two ascending streams."""
    left, right = _ascending(legacy, "legacy"), _ascending(candidate, "the candidate")
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and _before(ours, theirs)):
            yield ours, None
            ours = next(left, None)
        elif ours is None or _before(theirs, ours):
            yield None, theirs
            theirs = next(right, None)
        else:
            yield ours, theirs
            ours, theirs = next(left, None), next(right, None)


def _before(one: Item, other: Item) -> bool:
    try:
        return one.key < other.key  # type: ignore[operator]
    except TypeError:
        raise InputError(
            f"work items: {one.key!r} and {other.key!r} are keys of two kinds; "
            "name columns that hold the same kind on both sides"
        ) from None


def _ascending(items: Iterable[Item], side: str) -> Iterator[Item]:
    last: Item | None = None
    for item in items:
        if last is not None and not _before(last, item):
            why = "is there twice" if last.key == item.key else f"follows {last.key!r}"
            raise InputError(
                f"work items of {side}: the key {item.key!r} {why}; name a column that is unique"
            )
        last = item
        yield item


def last_change(pair: tuple[Item | None, Item | None], now: float, settle: float) -> float | None:
    """When the newer of both sides changed; None where one that is there does not tell.

    A time further ahead than ``settle`` is that of a wrong clock or zone, and tells nothing.
    """
    there = [item.updated for item in pair if item is not None]
    known = [time for time in there if time is not None and time <= now + settle]
    if known and max(known) > now - settle:
        return max(known)
    return max(known) if len(known) == len(there) else None


@dataclass(slots=True)
class Memory:
    """What was seen at earlier looks: without a break since ``began``, last ``at``.

    ``seen`` has for each key its states, since when, and whether a repair was refused.
    """

    began: float
    at: float
    seen: dict[ItemKey, tuple[str, str, float, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any] | None, now: float) -> Memory:
        """From what was kept; nothing was, at the first look."""
        if document is None:
            return cls(now, now)
        seen = {key: (str(a), str(b), float(since), bool(refused))
                for key, a, b, since, refused in document["seen"]}  # fmt: skip
        return cls(float(document["began"]), float(document["at"]), seen)

    def to_dict(self) -> dict[str, Any]:
        return {"began": self.began, "at": self.at,
                "seen": [[key, *what] for key, what in self.seen.items()]}  # fmt: skip

    def since(self, legacy: str, candidate: str, key: ItemKey, now: float) -> tuple[float, bool]:
        """Since when these two states stand side by side, and whether a repair was refused."""
        known = self.seen.get(key)
        if known is None or known[:2] != (legacy, candidate):
            return now, False
        return known[2], known[3]

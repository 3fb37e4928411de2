"""How sharp a contract is: answers broken on purpose, which it ought to refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

UNKNOWN_FIELD = "switchover_unknown_field"


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How many broken answers were tried, and which of them the contract took for good."""

    tried: int
    survivors: tuple[str, ...]

    @property
    def refused(self) -> int:
        return self.tried - len(self.survivors)


def mutants(answer: Any) -> Iterator[tuple[str, Any]]:
    """Broken versions of a good answer, each with its name: every field missing, every field of
    another type, a field too many, an empty object, and no object at all."""
    yield "null instead of the answer", None
    if not isinstance(answer, dict):
        yield "an object instead of the answer", {UNKNOWN_FIELD: 1}
        return
    yield "an empty object", {}
    for field in answer:
        yield f"{field} missing", {key: value for key, value in answer.items() if key != field}
    for field, value in answer.items():
        other = {"wrong": True} if not isinstance(value, dict) else [True]
        yield f"{field} of another type", {**answer, field: other}
    yield "a field that is unknown", {**answer, UNKNOWN_FIELD: 1}


def sharpness(answer: Any, accepts: Callable[[Any], bool]) -> Sharpness:
    """Try every mutant of a good answer on a contract."""
    tried, survivors = 0, []
    for name, broken in mutants(answer):
        tried += 1
        if accepts(copy.deepcopy(broken)):
            survivors.append(name)
    return Sharpness(tried, tuple(survivors))

"""Rules of a feature flag: which variant the attributes of a request ask for. Pure.

    Rule({"email": "ada@example.test", "age": {"above": 17}, "plan": ["team", "pro"]}, "new")

Every condition of a rule must hold, and the first rule that matches decides. A condition is

- a text, a number or a bool: the attribute equals it;
- a list of them: the attribute equals one;
- comparisons with numbers: ``above``, ``at_least``, ``below``, ``at_most``, all of which hold.

A bool is never a number and a number is never a text. An attribute that is missing, null or
of another kind meets no condition. There are no expressions, so a rule can't fail or take long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from types import MappingProxyType
from typing import Any, TypeVar

#: What the caller says about a request: a name to anything.
Attributes = Mapping[str, Any]
NO_ATTRIBUTES: Attributes = MappingProxyType({})

T = TypeVar("T")

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "above": gt,
    "at_least": ge,
    "below": lt,
    "at_most": le,
}

Condition = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives ``variant`` where every condition in ``when`` holds; ``ValueError`` if malformed."""

    when: Mapping[str, Any]
    variant: str

    def __post_init__(self) -> None:
        if not isinstance(self.variant, str) or not self.variant:
            raise ValueError(f"a rule gives the variant {self.variant!r}; name one")
        if not isinstance(self.when, Mapping) or not self.when:
            raise ValueError(f"the rule for {self.variant!r} has no condition under 'when'")
        for attribute, wanted in self.when.items():
            if not isinstance(attribute, str):
                raise ValueError(f"the rule for {self.variant!r} asks for {attribute!r}")
            _condition(attribute, wanted)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"when": dict(self.when), "variant": self.variant}

    @classmethod
    def from_dict(cls, document: Any) -> Rule:
        """Read :meth:`to_dict`. Unknown keys are refused: a condition that is not understood
        would otherwise be one that always holds."""
        if not isinstance(document, Mapping) or set(document) != {"when", "variant"}:
            raise ValueError(f"a rule holds 'when' and 'variant', not {document!r}")
        return cls(document["when"], document["variant"])


def read_rules(documents: Any) -> tuple[Rule, ...]:
    """Rules as they stand in a flag's definition, in their order."""
    if not isinstance(documents, list | tuple):
        raise ValueError(f"rules are a list, not {documents!r}")
    return tuple(map(Rule.from_dict, documents))


def compile_rules(
    rules: Sequence[tuple[Rule, T]],
) -> Callable[[Any], T | None] | None:
    """Gives what stands beside the first rule that matches some attributes, ``None`` where none
    does. There is nothing to call where there are no rules."""
    if not rules:
        return None
    prepared = tuple(
        (tuple((name, _condition(name, wanted)) for name, wanted in rule.when.items()), answer)
        for rule, answer in rules
    )

    def decide(attributes: Any) -> T | None:
        if not isinstance(attributes, Mapping):
            return None
        for conditions, answer in prepared:
            if all(holds(attributes.get(name)) for name, holds in conditions):
                return answer
        return None

    return decide


def _condition(attribute: str, wanted: Any) -> Condition:
    if isinstance(wanted, Mapping):
        return _comparison(attribute, wanted)
    choices = wanted if isinstance(wanted, list | tuple) else (wanted,)
    if not choices or not all(_plain(choice) for choice in choices):
        raise ValueError(
            f"the condition on {attribute!r} is {wanted!r}; give a text, a number, true or false, "
            "a list of them, or comparisons"
        )
    # The kind is part of the value, as in Python True == 1.
    accepted = frozenset((_kind(choice), choice) for choice in choices)
    return lambda value: _plain(value) and (_kind(value), value) in accepted


def _comparison(attribute: str, wanted: Mapping[str, Any]) -> Condition:
    unknown = set(wanted) - set(_COMPARISONS)
    if unknown or not wanted or not all(_kind(limit) is float for limit in wanted.values()):
        raise ValueError(
            f"the condition on {attribute!r} is {dict(wanted)!r}; "
            f"comparisons are {', '.join(_COMPARISONS)}, each with a number"
        )
    tests = tuple((_COMPARISONS[name], limit) for name, limit in wanted.items())
    return lambda value: (
        _kind(value) is float and all(compare(value, limit) for compare, limit in tests)
    )


def _plain(value: Any) -> bool:
    return _kind(value) is not None


def _kind(value: Any) -> type | None:
    """``bool``, ``str``, or ``float`` for every finite number; ``None`` for all else."""
    if isinstance(value, bool | str):
        return bool if isinstance(value, bool) else str
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return float
    return None

"""Feature flags as the routing document carries them: pure values, standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any

from switchover.machine.split import FULL
from switchover.machine.targeting import Rule, read_rules

#: Who may see a flag (T6), from everybody to nobody outside the services.
VISIBILITIES = ("public", "authenticated", "admin", "internal")

ON, OFF = "on", "off"

#: What a flag may be called; documents are read whatever their flags are called.
NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$"


@dataclass(frozen=True, slots=True)
class Flag:
    """One feature flag of a migration.

    A flag without ``variants`` is a yes/no flag: on for ``split`` basis points of the keys.
    With ``variants`` (name to basis points, together 10 000) each key gets one of them, or with
    a ``split`` of 0 none does;
    ``values`` gives what a variant stands for where its name is not enough. ``off`` is the
    variant that is given while the flag is off.

    ``requires`` names other flags and the variant they must have for the same key (``on`` and
    ``off`` for a yes/no flag). ``overrides`` fixes single keys; ``rules`` give a variant by
    what the caller says about a request. ``metadata`` is for those who ask about the flag, and
    decides nothing. A flag that ``follows_split``
    belongs to the candidate: it is on only where the candidate serves the key, and so goes off
    with a rollback. ``version`` is the ledger revision of its last change. Raises ``ValueError``
    with a sentence for people where something is malformed.
    """

    name: str
    enabled: bool = True
    split: int = FULL
    variants: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    off: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    visibility: str = "internal"
    component: str = ""
    follows_split: bool = False
    version: int = 0

    def __post_init__(self) -> None:
        self._check_types()
        if not 0 <= self.split <= FULL:
            raise self._wrong(f"a share of {self.split / 100:g} % lies outside 0 to 100 %")
        if self.visibility not in VISIBILITIES:
            raise self._wrong(
                f"unknown visibility {self.visibility!r}; one of {', '.join(VISIBILITIES)}"
            )
        if self.variants:
            if any(weight < 0 for weight in self.variants.values()):
                raise self._wrong("a variant's weight is never negative")
            if sum(self.variants.values()) != FULL:
                total = sum(self.variants.values()) / 100
                raise self._wrong(f"the weights of its variants sum to {total:g} %, not to 100 %")
            if self.split not in (0, FULL):
                raise self._wrong("a flag with variants takes weights, no share of its own")
        named = {*self.values, *([self.off] if self.off else [])}
        if unknown := sorted(named - set(self.variants)):
            raise self._wrong(f"unknown variant {unknown[0]!r}; {self._choices()}")
        if unknown := sorted(set(self.overrides.values()) - {*self.variants, ON, OFF}):
            raise self._wrong(f"an override to the unknown variant {unknown[0]!r}")
        if unknown := sorted({rule.variant for rule in self.rules} - {*self.variants, ON, OFF}):
            raise self._wrong(f"a rule gives the unknown variant {unknown[0]!r}")
        fixed = {*self.overrides.values(), *(rule.variant for rule in self.rules)}
        if self.variants and ON in fixed - set(self.variants):
            raise self._wrong("it has variants: name one of them instead of 'on'")
        if self.name in self.requires:
            raise self._wrong("it requires itself")

    def _check_types(self) -> None:
        for item, kind in _TYPES.items():
            value = getattr(self, item)
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise ValueError(f"flag {self.name!r}: {item} is {value!r}")
        if not self.name:
            raise ValueError("a flag needs a name")
        for item, kind in (("variants", int), ("requires", str), ("overrides", str)):
            for name, value in getattr(self, item).items():
                if not isinstance(name, str) or type(value) is not kind:
                    raise self._wrong(f"{item} holds {name!r}: {value!r}")

        for name, value in self.metadata.items():
            if not isinstance(name, str) or not isinstance(value, bool | str | int | float):
                raise self._wrong(
                    f"metadata holds {name!r}: {value!r}; give a text, a number, or true or false"
                )
        for item in ("values", "metadata"):
            try:
                json.dumps(dict(getattr(self, item)), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                raise self._wrong(f"its {item} are no JSON: {error}") from error

    def _choices(self) -> str:
        names = ", ".join(self.variants)
        return f"its variants are {names}" if names else "it has no variants"

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"flag {self.name!r}: {what}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON without the name and without what is at its default."""
        document = {}
        for item in fields(self)[1:]:
            value = getattr(self, item.name)
            value = dict(value) if isinstance(value, Mapping) else value
            if item.name == "rules":
                value = [rule.to_dict() for rule in self.rules]
            if value != _DEFAULTS[item.name]:
                document[item.name] = value
        return document

    @classmethod
    def from_dict(cls, name: str, document: Mapping[str, Any]) -> Flag:
        """Read :meth:`to_dict`; unknown keys are ignored (a newer writer may add some)."""
        if not isinstance(document, Mapping):
            raise ValueError(f"flag {name!r} is no object")
        known = {key: document[key] for key in _DEFAULTS if key in document}
        try:
            if "rules" in known:
                known["rules"] = read_rules(known["rules"])
        except ValueError as error:
            raise ValueError(f"flag {name!r}: {error}") from error
        return cls(name, **known)


_TYPES: dict[str, type] = {
    "name": str, "enabled": bool, "split": int, "variants": Mapping, "values": Mapping,
    "off": str, "requires": Mapping, "overrides": Mapping, "rules": tuple, "metadata": Mapping,
    "visibility": str, "component": str, "follows_split": bool, "version": int,
}  # fmt: skip
_DEFAULTS = {name: getattr(Flag("default"), name) for name in _TYPES if name != "name"}
_DEFAULTS["rules"] = []


def versioned(
    documents: Mapping[str, Mapping[str, Any]], revision: int
) -> dict[str, dict[str, Any]]:
    """The flags of an entry, each with the ledger revision that it was changed by."""
    return {name: {**definition, "version": revision} for name, definition in documents.items()}


def read_flags(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Flag]:
    """All flags of a document, checked together; ``ValueError`` where one is malformed."""
    flags = {name: Flag.from_dict(name, document) for name, document in documents.items()}
    check_flags(flags)
    return flags


def check_flags(flags: Mapping[str, Flag]) -> None:
    """Refuse prerequisites that do not exist, can't be met, or go round in a circle."""
    for flag in flags.values():
        for wanted, variant in flag.requires.items():
            other = flags.get(wanted)
            if other is None:
                raise ValueError(f"flag {flag.name!r} requires {wanted!r}, which does not exist")
            if variant not in {*other.variants, *(() if other.variants else (ON,)), OFF}:
                raise ValueError(
                    f"flag {flag.name!r} requires {wanted!r} to be {variant!r}, which it never is"
                )
    in_order(flags)


def in_order(flags: Mapping[str, Flag]) -> list[Flag]:
    """The flags, each after those that it requires; ``ValueError`` for a circle."""
    graph = {flag.name: tuple(flag.requires) for flag in flags.values()}
    try:
        return [flags[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ValueError(f"flags require each other in a circle: {circle}") from error

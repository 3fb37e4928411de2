"""Feature flags, compiled: an evaluation is a look-up, at most one hash, and a ready answer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from switchover.machine.flag import OFF, ON, VISIBILITIES, Flag, in_order
from switchover.machine.split import FULL
from switchover.machine.targeting import NO_ATTRIBUTES, Attributes, compile_rules
from switchover.routing.bucket import Key, key_bytes, salted
from switchover.routing.rendezvous import places, winner
from switchover.routing.snapshot import Decision, Table, decide

_TRUE = frozenset({"true", "1", "yes", "on", "enabled"})
_FALSE = frozenset({"false", "0", "no", "off", "disabled"})


class Evaluation(NamedTuple):
    """What a feature flag is for one key; true in a condition exactly when it is on.

    ``variant`` is ``on`` or ``off`` for a yes/no flag, whose ``value`` is a bool; otherwise one
    of the flag's variants and what it stands for. ``version`` is the ledger revision of the
    flag's last change, 0 where the ledger has no such flag. ``reason`` is one of

    - ``static``: the same for every key;
    - ``split``: decided by the key's bucket, the variants' weights or the traffic's split;
    - ``override``: the flag fixes this key;
    - ``rule``: one of its rules matches what the caller said; ``default``: none does;
    - ``disabled``: switched off;
    - ``prerequisite``: a flag that it requires is not as wanted;
    - ``not_serving``: it belongs to the candidate, which does not serve this key, or the
      routing's own reason for that: ``emergency_rollback``, ``stale``, ``cold_start``;
    - ``no_key``: it depends on the key, and none was given;
    - ``environment``: from ``FF_<NAME>``, as no document defines it;
    - ``unknown``: nobody defines it; it is off.
    """

    on: bool
    variant: str
    value: Any
    reason: str
    version: int

    def __bool__(self) -> bool:
        return self.on


Careful = Callable[[Key, Attributes], Evaluation]

#: ``(prefix, split, into, out, careful)`` like a routing table. Without a prefix, and for an
#: empty key, ``careful`` answers.
FlagTable = tuple[bytes | None, int, Evaluation, Evaluation, Careful]

#: Keys that tell nobody apart.
NO_KEYS = ("", b"")

#: No flag prepared before.
NONE: Mapping[str, FlagTable] = MappingProxyType({})

#: Routing reasons that say more than ``not_serving``.
_TELLING = frozenset({"emergency_rollback", "stale", "cold_start"})


def compile_flags(
    flags: Mapping[str, Flag], salt: str, table: Table, kept: Mapping[str, FlagTable] = NONE
) -> dict[str, FlagTable]:
    """Prepare the evaluation of every flag under the routing ``table`` in force.

    ``kept`` has those prepared before that evaluate as they did: hundreds take a while.

    Each flag has a salt of its own, so that flags are independent of each other and of the
    split. Raises ``ValueError`` where flags require each other in a circle.
    """
    compiled: dict[str, FlagTable] = {}
    for flag in in_order(flags):
        name = flag.name
        prepared = kept.get(name)
        compiled[name] = prepared or _compile(flag, f"{salt}/flag/{name}", table, compiled)
    return compiled


def _compile(flag: Flag, salt: str, table: Table, compiled: Mapping[str, FlagTable]) -> FlagTable:
    into = _answer(flag, ON, "split")
    out = _off(flag, "split")
    required = [(compiled[name][4], wanted) for name, wanted in flag.requires.items()]
    overrides = {
        key_bytes(key): _answer(flag, variant, "override")
        for key, variant in flag.overrides.items()
    }
    by_rule = compile_rules([(rule, _answer(flag, rule.variant, "rule")) for rule in flag.rules])
    by_key = _weights(flag, salt) if flag.variants else _share(flag, salt, into, out)
    disabled, unmet, no_key = (_off(flag, why) for why in ("disabled", "prerequisite", "no_key"))

    # A share of 0 is for nobody, also where weights and no share decide who gets what.
    switched_off = not flag.enabled or (not flag.split and bool(flag.variants))

    def careful(key: Key, attributes: Attributes = NO_ATTRIBUTES) -> Evaluation:
        if switched_off:
            return disabled
        if flag.follows_split:
            if key in NO_KEYS and 0 < table[1] < FULL:
                return no_key
            decision = decide(table, key)
            if decision.system != "candidate":
                return _off(flag, _why_not(decision))
        for evaluate, wanted in required:
            found = evaluate(key, attributes)
            if found.variant != wanted and not (wanted == OFF and not found.on):
                return unmet
        if overrides and (fixed := overrides.get(key_bytes(key))) is not None:
            return fixed
        if by_rule is not None and (matched := by_rule(attributes)) is not None:
            return matched
        return by_key(key)

    plain = flag.enabled and not (required or overrides or flag.rules or flag.variants)
    if plain and flag.follows_split and flag.split == FULL and table[-1] is None:
        # Exactly the keys that the candidate serves: the routing's own hash decides.
        prefix, split, _, legacy, _ = table
        return (prefix, split, into, _off(flag, _why_not(legacy)), careful)
    if plain and not flag.follows_split and 0 < flag.split < FULL:
        return (salted(salt), flag.split, into, out, careful)
    return (None, 0, into, out, careful)


def _why_not(decision: Decision) -> str:
    return decision.reason if decision.reason in _TELLING else "not_serving"


def _alike(flag: Flag) -> str:
    """The reason of an answer that is the same for every key which comes so far."""
    return "default" if flag.rules else "split" if flag.follows_split else "static"


def _share(flag: Flag, salt: str, into: Evaluation, out: Evaluation) -> Callable[[Key], Evaluation]:
    """A yes/no flag: on for the keys whose bucket lies below its share."""
    if flag.split in (0, FULL):
        reason = _alike(flag)
        answer = _answer(flag, ON, reason) if flag.split else _off(flag, reason)
        return lambda key: answer
    prefix, split, no_key = salted(salt), flag.split, _off(flag, "no_key")

    def share(key: Key) -> Evaluation:
        if key in NO_KEYS:
            return no_key
        return into if xxh3_64_intdigest(prefix + key_bytes(key)) % FULL < split else out

    return share


def _weights(flag: Flag, salt: str) -> Callable[[Key], Evaluation]:
    """A flag with variants: weighted rendezvous, so that few keys move with the weights."""
    weighed = [name for name, weight in flag.variants.items() if weight]
    if len(weighed) == 1:
        only = _answer(flag, weighed[0], _alike(flag))
        return lambda key: only
    drawing = places(
        (salted(f"{salt}/{name}"), float(flag.variants[name]), _answer(flag, name, "split"))
        for name in weighed
    )
    no_key = _off(flag, "no_key")
    return lambda key: no_key if key in NO_KEYS else winner(drawing, key_bytes(key))


def _answer(flag: Flag, variant: str, reason: str) -> Evaluation:
    if variant == OFF and OFF not in flag.variants:
        return _off(flag, reason)
    if not flag.variants:
        return Evaluation(True, ON, True, reason, flag.version)
    return Evaluation(True, variant, flag.values.get(variant, variant), reason, flag.version)


def _off(flag: Flag, reason: str) -> Evaluation:
    if not flag.variants:
        return Evaluation(False, OFF, False, reason, flag.version)
    value = flag.values.get(flag.off, flag.off) if flag.off else None
    return Evaluation(False, flag.off, value, reason, flag.version)


def absent(reason: str, on: bool = False) -> Evaluation:
    """The evaluation of a flag that no document defines."""
    return Evaluation(on, ON if on else OFF, on, reason, 0)


def variable(name: str) -> str:
    """The environment variable of a flag: ``FF_NEW_PANEL`` for ``new-panel``."""
    return "FF_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def from_environment(name: str) -> bool | None:
    """What ``FF_<NAME>`` says; ``None`` where it is not set, ``ValueError`` for other words."""
    said = os.environ.get(variable(name))
    if said is None:
        return None
    word = said.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(
            f"{variable(name)} is {said!r}; use one of {', '.join(sorted(_TRUE | _FALSE))}"
        )
    return word in _TRUE


def visible(flag: Flag, viewer: str) -> bool:
    """Whether ``viewer`` (``public``, ``authenticated`` or ``admin``) may see ``flag``; an
    ``internal`` flag leaves the services for nobody."""
    rank = VISIBILITIES.index(flag.visibility)
    return flag.visibility != "internal" and rank <= VISIBILITIES.index(viewer)

"""The routing document: what routers need to know, and nothing else.

It is a projection of the machine's state. Standard library only: the light SDK carries it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from switchover.machine.split import FULL

#: Traffic modes (T1). ``legacy_only`` is the default.
MODES = ("legacy_only", "parallel", "gradual", "candidate_only", "emergency_rollback")

#: The largest number that the store's scripts can still count up exactly.
_LAST_EPOCH = 2**53 - 1

_TYPES: dict[str, type] = {
    "migration": str, "epoch": int, "mode": str, "split": int, "shadow": int, "salt": str,
    "key": str, "agreement": Mapping, "halt": str, "flags": Mapping, "turned": int,
    "no_return": bool,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The immutable routing document of one migration.

    ``split`` is the candidate's share in basis points (0 to 10 000). ``epoch`` only grows.
    ``shadow`` is the share of
    requests, in basis points, whose other side is called too, after the answer was given.
    ``salt`` makes the bucketing of this migration independent of every other; it never
    changes during a migration. ``key`` is ``string`` (hashed) or ``integer`` (``key mod 100``).
    ``agreement`` is the comparison rule for shadow pairs, as plain JSON. ``halt`` names the
    emergency rollback that this document answers; a store that holds another halt refuses
    every document that would send traffic to the candidate. ``flags`` holds the feature flags
    by name, as :class:`switchover.machine.flag.Flag` writes them.
    ``turned`` is the epoch of the last change of who serves, 0 for this document's own.
    ``no_return`` says that the point of no return is passed: a store refuses to halt unless it
    is insisted on. Routers ignore it.
    """

    migration: str
    epoch: int
    mode: str = "legacy_only"
    split: int = 0
    shadow: int = 0
    salt: str = ""
    key: str = "string"
    agreement: Mapping[str, Any] = field(default_factory=dict)
    halt: str = ""
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    turned: int = 0
    no_return: bool = False

    def __post_init__(self) -> None:
        for item, kind in _TYPES.items():
            value = getattr(self, item)
            if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
                raise ValueError(f"{item} is {value!r:.60}")
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; one of {', '.join(MODES)}")
        if not 0 <= self.split <= FULL:
            raise ValueError(f"split {self.split} is outside 0 to {FULL} basis points")
        if not 0 <= self.shadow <= FULL:
            raise ValueError(f"shadow {self.shadow} is outside 0 to {FULL} basis points")
        if self.key not in ("string", "integer"):
            raise ValueError(f"unknown key kind {self.key!r}; string or integer")
        if not 0 <= self.turned <= self.epoch <= _LAST_EPOCH:
            raise ValueError(f"epoch {self.epoch}, turned at {self.turned}: these only grow from 0")

    @property
    def served(self) -> int:
        """The candidate's share of the keys, in basis points; a shadow call serves nobody."""
        if self.mode == "candidate_only":
            return FULL
        return self.split if self.mode == "gradual" else 0

    @property
    def serves_candidate(self) -> bool:
        """True when at least one key may be answered by the candidate."""
        return self.served > 0

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no white space."""
        # Not asdict: copying hundreds of flags takes longer than writing them.
        document = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read :meth:`to_json`. Unknown keys are ignored (a newer writer may add some);
        anything else malformed raises ``ValueError``."""
        try:
            document = json.loads(text)
            known = {k: v for k, v in document.items() if k in cls.__slots__}
            return cls(**known)
        except (TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(f"not a routing snapshot: {error}") from error

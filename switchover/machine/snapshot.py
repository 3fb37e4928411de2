"""The routing document: what routers need to know, and nothing else.

It is a projection of the machine's state. Standard library only: the light SDK carries it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Traffic modes (T1). ``legacy_only`` is the default.
MODES = ("legacy_only", "parallel", "gradual", "candidate_only", "emergency_rollback")

#: Splits are held in basis points: 10 000 is 100 %, the resolution is 0.01 %.
FULL = 10_000


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
    every document that would send traffic to the candidate. ``flags`` names the candidate's
    feature flags that are on; they go on with the first canary stage and off with a rollback.
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
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; one of {', '.join(MODES)}")
        if not 0 <= self.split <= FULL:
            raise ValueError(f"split {self.split} is outside 0 to {FULL} basis points")
        if not 0 <= self.shadow <= FULL:
            raise ValueError(f"shadow {self.shadow} is outside 0 to {FULL} basis points")
        if self.key not in ("string", "integer"):
            raise ValueError(f"unknown key kind {self.key!r}; string or integer")
        if self.epoch < 0:
            raise ValueError("an epoch is never negative")
        if not isinstance(self.flags, tuple) or not all(isinstance(f, str) for f in self.flags):
            raise ValueError("flags are a tuple of names")

    @property
    def serves_candidate(self) -> bool:
        """True when at least one key may be answered by the candidate."""
        return self.mode == "candidate_only" or (self.mode == "gradual" and self.split > 0)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no white space."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read :meth:`to_json`. Unknown keys are ignored (a newer writer may add some);
        anything else malformed raises ``ValueError``."""
        try:
            document = json.loads(text)
            known = {k: v for k, v in document.items() if k in cls.__slots__}
            known["flags"] = tuple(known.get("flags", ()))
            return cls(**known)
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a routing snapshot: {error}") from error

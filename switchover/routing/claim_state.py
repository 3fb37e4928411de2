"""What a claim is, and what is known of a work item."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from switchover.errors import StaleClaim

#: Why a claim is void, by the reason that the script gives.
REASONS = {
    "taken": "its lease ended and another owner took the item over",
    "released": "it was released",
    "served": "the item has its result",
    "unknown": "the item is not known (any more)",
    "different": "it brought another result before, and that one stands",
}

#: The two rights on an item: to serve it, and to run it beside for comparison.
SLOTS = ("serve", "shadow")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of ``owner`` to serve ``item`` by ``system``, or to shadow it.

    ``token`` is the fencing token: it grows with every claim of a migration. Hand it to every
    store that the work writes to, and let that store refuse a token older than the last one.
    ``until`` is the end of the lease in seconds of Redis' clock, as of the claim.
    """

    migration: str
    item: str
    owner: str
    system: str
    token: int
    until: float
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a claim was completed with.

    ``value`` is None where ``kept`` is False: then only ``digest`` (SHA-256 of the canonical
    JSON) is known. ``failure`` is set for a shadow call that gave no answer. ``at`` is in
    seconds since the Unix epoch, by Redis' clock.
    """

    system: str
    token: int
    at: float
    digest: str
    value: Any = None
    kept: bool = True
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ItemState:
    """A work item: ``free``, ``held`` or ``served``.

    ``owner``, ``system`` and ``token`` are those of the last claim on serving it.
    ``lease_left`` is in seconds, 0 unless held.
    """

    item: str
    status: str = "free"
    owner: str = ""
    system: str = ""
    token: int = 0
    lease_left: float = 0.0
    served: Result | None = None
    shadow: Result | None = None

    @property
    def pair(self) -> tuple[Result, Result] | None:
        """The results of legacy and candidate, once both are there; one of them was served."""
        both = {result.system: result for result in (self.served, self.shadow) if result}
        if self.served is None or len(both) < 2:
            return None
        return both["legacy"], both["candidate"]

    @classmethod
    def of(cls, item: str, now: int, fields: Mapping[str, str]) -> ItemState:
        """Read the hash of an item, at ``now`` in milliseconds."""
        left = (int(fields.get("serve.until", 0)) - now) / 1000
        held = is_held(fields, "serve", now)
        served = _result(fields, "serve")
        return cls(
            item,
            "served" if served else "held" if held else "free",
            fields.get("serve.owner", ""),
            fields.get("serve.system", ""),
            int(fields.get("serve.token", 0)),
            left if held else 0.0,
            served,
            _result(fields, "shadow"),
        )


def is_held(fields: Mapping[str, str], slot: str, now: int) -> bool:
    """Whether a lease on the item is in force at ``now`` in milliseconds."""
    return fields.get(f"{slot}.status") == "held" and int(fields.get(f"{slot}.until", 0)) > now


def void(claim: Claim, stored: str, reason: str) -> StaleClaim:
    """The error for what the owner of a void claim brings."""
    return StaleClaim(claim.item, claim.token, int(stored), REASONS[reason])


def _result(fields: Mapping[str, str], slot: str) -> Result | None:
    if fields.get(f"{slot}.status") != "done":
        return None
    text, failure = fields[f"{slot}.result"], fields[f"{slot}.failure"]
    return Result(
        fields[f"{slot}.system"],
        int(fields[f"{slot}.token"]),
        int(fields[f"{slot}.at"]) / 1000,
        fields[f"{slot}.digest"],
        json.loads(text) if text else None,
        bool(text),
        failure,
    )

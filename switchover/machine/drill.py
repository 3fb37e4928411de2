"""A drill that is under way: what it turned back, and when it is over at the latest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Drill:
    """``real`` says that all traffic is on legacy meanwhile; ``mode``, ``split`` and ``shadow``
    are what comes back. A drill that has said nothing by ``until`` (seconds since the Unix epoch)
    was cut off."""

    id: str
    at: float
    until: float
    real: bool
    mode: str
    split: int
    shadow: int

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Drill:
        """Read what ``dataclasses.asdict`` gave."""
        known = {item.name for item in fields(cls)}
        return cls(**{k: v for k, v in document.items() if k in known})

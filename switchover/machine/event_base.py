"""What every event is, apart from what the single ones say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``kind`` names the class in the ledger."""

    kind: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON, without the kind."""
        return asdict(self)

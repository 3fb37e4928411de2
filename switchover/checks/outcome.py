"""What one kind of check concludes; the runner adds name and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, a sentence with its numbers, and the numbers themselves."""

    ok: bool
    summary: str
    detail: Mapping[str, Any] = field(default_factory=dict)

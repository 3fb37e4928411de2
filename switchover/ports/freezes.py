"""Stops that people set: no step forward of one migration, or of all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: The scope of a stop of all migrations, those that are started later too. No slug looks so.
ALL = "*"


@dataclass(frozen=True, slots=True)
class Freeze:
    """Who stopped ``scope`` (a migration or :data:`ALL`), when and why; ``until`` ends it by
    itself, ``lifted_at`` says that somebody did."""

    scope: str
    reason: str
    actor: str
    at: datetime
    until: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def holds(self, migration: str, now: datetime) -> bool:
        """Whether it stops ``migration`` at ``now``."""
        return self.scope in (ALL, migration) and self.is_on(now)

    def is_on(self, now: datetime) -> bool:
        """Whether it stops anything at ``now``."""
        return self.lifted_at is None and (self.until is None or now < self.until)

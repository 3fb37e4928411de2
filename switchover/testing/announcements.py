"""Announcements in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.ports import Announcement, Entry, Ledger


class MemoryAnnouncements:
    """The cursor of announcements over any ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told: dict[str, int] = {}

    def pending(self, limit: int) -> list[Entry]:
        """Entries that are not confirmed, by migration and revision; at most ``limit``."""
        found: list[Entry] = []
        for state in self._ledger.migrations():
            told = self._told.get(state.migration, 0)
            if state.revision > told and len(found) < limit:
                found += self._ledger.entries(state.migration, told, limit - len(found))
        return found

    def confirm(self, migration: str, revision: int) -> None:
        """All entries up to ``revision`` are published; a smaller one changes nothing."""
        self._told[migration] = max(revision, self._told.get(migration, 0))


class MemoryEvents:
    """A sink that keeps what it is told; ``error`` is raised instead while it is set."""

    def __init__(self) -> None:
        self.published: list[Announcement] = []
        self.error: Exception | None = None

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Keep them in order."""
        if self.error is not None:
            raise self.error
        self.published += announcements

"""The cursor of announcements keeps its promises in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from switchover.ledger import SqlLedger
from switchover.ledger.announcements import SqlAnnouncements
from switchover.machine.event import Held
from switchover.ports import Announcements, Ledger
from switchover.testing.announcements import MemoryAnnouncements
from switchover.testing.ledger import begin_migration

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def announcements(ledger: Ledger) -> Announcements:
    """Over the ledger under test."""
    if isinstance(ledger, SqlLedger):
        return SqlAnnouncements(ledger.engine)
    return MemoryAnnouncements(ledger)


def told(announcements: Announcements, limit: int = 100) -> list[tuple[str, int]]:
    return [(entry.migration, entry.revision) for entry in announcements.pending(limit)]


@pytest.mark.req("INV4")
def test_what_is_not_confirmed_stays_pending(ledger: Ledger, announcements: Announcements) -> None:
    """In the order of the revisions, and whole: the entries are those of the ledger."""
    begin_migration(ledger)
    ledger.append("mood", 1, Held(1.0, "ada", "lunch"), at=NOW, actor="ada")
    assert told(announcements) == told(announcements) == [("mood", 1), ("mood", 2)]
    assert announcements.pending(100) == ledger.entries("mood")
    announcements.confirm("mood", 1)
    assert told(announcements) == [("mood", 2)]
    announcements.confirm("mood", 2)
    assert told(announcements) == []


@pytest.mark.req("INV4")
def test_a_late_confirmation_takes_nothing_back(
    ledger: Ledger, announcements: Announcements
) -> None:
    """Two processes announce at once: the slower one confirms less than the faster one did."""
    begin_migration(ledger)
    ledger.append("mood", 1, Held(1.0, "ada", "lunch"), at=NOW, actor="ada")
    announcements.confirm("mood", 2)
    announcements.confirm("mood", 1)
    assert told(announcements) == []


@pytest.mark.req("P10")
def test_a_limit_leaves_the_rest_for_the_next_call(
    ledger: Ledger, announcements: Announcements
) -> None:
    """Of several migrations, each entry comes once, whatever the limit."""
    begin_migration(ledger, "mood")
    begin_migration(ledger, "quotes")
    ledger.append("mood", 1, Held(1.0, "ada", "lunch"), at=NOW, actor="ada")
    seen = []
    while batch := told(announcements, 1):
        seen += batch
        announcements.confirm(*batch[0])
    assert seen == [("mood", 1), ("mood", 2), ("quotes", 1)]

"""Announcing the ledger's entries: in order, all of them, and known again when repeated."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from switchover.engine.announce import LONGEST, announce, announcement
from switchover.errors import DependencyUnavailable
from switchover.machine.event import DrillBegun, Drilled, Held, Judged, Resumed
from switchover.testing.announcements import MemoryAnnouncements, MemoryEvents
from switchover.testing.ledger import InMemoryLedger, begin_migration
from tools.events_reference import reference

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def ledger() -> InMemoryLedger:
    """A ledger with one started migration that was held and resumed."""
    ledger = InMemoryLedger()
    begin_migration(ledger)
    ledger.append("mood", 1, Held(1.0, "ada", "lunch"), at=NOW, actor="ada")
    ledger.append("mood", 2, Resumed(2.0, "ada", "back"), at=NOW + timedelta(1), actor="ada")
    return ledger


@pytest.mark.req("P12")
def test_every_entry_is_announced_once_and_in_order(ledger: InMemoryLedger) -> None:
    """A second call has nothing to tell, a new entry is told alone."""
    announcements, sink = MemoryAnnouncements(ledger), MemoryEvents()
    assert announce(announcements, sink) == 3
    assert announce(announcements, sink) == 0
    ledger.append("mood", 3, Held(3.0, "bo", "again"), at=NOW, actor="bo")
    assert announce(announcements, sink) == 1
    names = [told.name for told in sink.published]
    assert names == [
        "switchover.started", "switchover.held", "switchover.resumed", "switchover.held",
    ]  # fmt: skip


@pytest.mark.req("INV4")
def test_what_is_announced_again_after_a_crash_has_the_same_id(ledger: InMemoryLedger) -> None:
    """A process that ended between publishing and confirming leaves no second event behind."""
    first, second = MemoryEvents(), MemoryEvents()
    announce(MemoryAnnouncements(ledger), first)
    announce(MemoryAnnouncements(ledger), second)
    assert [told.id for told in first.published] == [told.id for told in second.published]
    assert len({told.id for told in first.published}) == 3


@pytest.mark.req("P10")
def test_nothing_is_lost_while_nobody_listens(ledger: InMemoryLedger) -> None:
    """An outage delays announcements, and loses none."""
    announcements, sink = MemoryAnnouncements(ledger), MemoryEvents()
    sink.error = DependencyUnavailable("Prefect", "away")
    with pytest.raises(DependencyUnavailable):
        announce(announcements, sink)
    sink.error = None
    assert announce(announcements, sink) == 3


@pytest.mark.req("P12")
def test_a_payload_has_plain_values_only(ledger: InMemoryLedger) -> None:
    """Who, when and what; the gates' numbers stay in the ledger, long texts are cut."""
    event = Judged(0, "hold", 3.0, "x" * 5000, reading={"gates": [1, 2, 3]})
    ledger.append("mood", 3, event, at=NOW, actor="monitor")
    told = announcement(ledger.entries("mood", 3)[0])
    assert told.payload == {
        "migration": "mood", "revision": 4, "by": "monitor",
        "stage": 0, "verdict": "hold", "sentence": "x" * LONGEST,
    }  # fmt: skip
    assert (told.migration, told.at) == ("mood", NOW)


@pytest.mark.req("R7", "P12")
def test_a_drill_tells_its_four_figures_and_null_for_what_it_did_not_get_to(
    ledger: InMemoryLedger,
) -> None:
    """An automation may read each of them, whatever became of the drill."""
    begun = DrillBegun(2.0, "ada", "mood-drill-1", 9.0)
    ledger.append("mood", 3, begun, at=NOW, actor="ada")
    event = Drilled(3.0, "ada", False, "mood-drill-1", "cut", detection=0.7, decision=0.1)
    ledger.append("mood", 4, event, at=NOW, actor="ada")
    told = announcement(ledger.entries("mood", 4)[0]).payload
    figures = {name: told[name] for name in ("detection", "decision", "propagation", "validation")}
    assert figures == {"detection": 0.7, "decision": 0.1, "propagation": None, "validation": None}
    assert set(figures) < set(re.findall(r"`(\w+)`", _row("switchover.drilled").split("|")[3]))


def _row(event: str) -> str:
    """The event's line in the reference."""
    return next(line for line in reference().splitlines() if line.startswith(f"| `{event}`"))

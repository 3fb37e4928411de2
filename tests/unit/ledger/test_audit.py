"""The audit as a pure function: any change of a copy is a fault."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.ledger.audit import faults_of
from switchover.ledger.chain import Chain
from switchover.ledger.copy import Copy, Head
from switchover.machine.event import Noted, StageEntered
from switchover.testing.ledger import InMemoryLedger, begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CHAIN = Chain(b"key")


def _copy() -> Copy:
    ledger = InMemoryLedger(b"key")
    begin_migration(ledger)
    ledger.append("mood", 1, StageEntered(1, "c", "gradual", 10, 0, 1.0, 2.0), at=NOON, actor="a")
    for revision in range(2, 6):
        note = Noted(float(revision), "test", f"note {revision}")
        ledger.append("mood", revision, note, at=NOON, actor="bob")
    return next(ledger.copies())


def _changed(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else f"{value}x"


@pytest.mark.req("K4")
def test_an_untouched_copy_has_no_fault() -> None:
    """With the right key; with none or another, the faults say that the key may be wrong."""
    assert faults_of(_copy(), CHAIN) == []
    for chain in (Chain(), Chain(b"other")):
        assert any("audit key" in fault for fault in faults_of(_copy(), chain))


@pytest.mark.req("INV11")
@settings(max_examples=60, deadline=None)
@given(st.permutations(range(6)))
def test_any_other_order_of_entries_is_found(order: list[int]) -> None:
    """Moved rows, and moved rows that were renumbered to hide it."""
    copy = _copy()
    moved = [copy.links[place] for place in order]
    renumbered = [replace(link, revision=place + 1) for place, link in enumerate(moved)]
    whole = order == list(range(6))
    for links in (moved, renumbered):
        found = faults_of(Copy("mood", copy.head, links, copy.plans), CHAIN)
        assert (found == []) is whole


@pytest.mark.req("INV11")
@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 5), min_size=1))
def test_any_missing_entries_are_found_and_named(gone: set[int]) -> None:
    """Each missing revision is in a fault that says so."""
    copy = _copy()
    links = [link for place, link in enumerate(copy.links) if place not in gone]
    found = faults_of(Copy("mood", copy.head, links, copy.plans), CHAIN)
    named: set[int] = set()
    for fault in (fault for fault in found if "missing" in fault):
        words = fault.removeprefix("mood: ").split()
        low = int(words[1])
        high = int(words[3]) if words[2] == "to" else low
        named |= set(range(low, high + 1))
    assert named == {place + 1 for place in gone}


@pytest.mark.req("INV11")
def test_a_repeated_entry_is_found() -> None:
    """The same revision twice, as only a file can hold it."""
    copy = _copy()
    links = [*copy.links[:3], copy.links[2], *copy.links[3:]]
    assert faults_of(Copy("mood", copy.head, links, copy.plans), CHAIN) == [
        "mood, revision 3: is there twice or out of order (an entry was inserted or moved)"
    ]


@pytest.mark.req("INV11")
@pytest.mark.parametrize("name", [f.name for f in fields(Head)])
def test_every_column_of_the_head_counts(name: str) -> None:
    """No field of the migration's row can be changed unseen."""
    copy = _copy()
    assert copy.head is not None
    head = replace(copy.head, **{name: _changed(getattr(copy.head, name))})
    assert faults_of(Copy("mood", head, copy.links, copy.plans), CHAIN)


@pytest.mark.req("INV11")
def test_a_rewritten_state_names_the_fields() -> None:
    """The fault says which part of the state is not what the entries make."""
    copy = _copy()
    assert copy.head is not None
    state = copy.head.state.replace('"split":10,', '"split":9000,')
    found = faults_of(Copy("mood", replace(copy.head, state=state), copy.links, copy.plans), CHAIN)
    assert found == [
        "mood, revision 6: the stored state is not what the entries make (changed): split"
    ]


def test_a_value_of_the_wrong_kind_is_a_fault_and_no_crash() -> None:
    """SQLite keeps any type in any column, and a file any field."""
    copy = Copy("mood")
    copy.add_links([{"migration": "mood", "revision": "two", "payload": 3}])
    copy.add_plans([{"version": None}])
    copy.add_head({"revision": True})
    assert len(copy.malformed) == 3
    assert all(fault in faults_of(copy, CHAIN) for fault in copy.malformed)


@pytest.mark.parametrize("payload", ["{", "[]", "[" * 100_000, '{"stage":"x"}', '{"plan":[]}'])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_no_payload_ends_the_audit(payload: str, place: int) -> None:
    """Whatever somebody wrote there is a fault of that revision."""
    copy = _copy()
    copy.links[place] = replace(copy.links[place], payload=payload)
    assert any(f", revision {place + 1}:" in fault for fault in faults_of(copy, CHAIN))

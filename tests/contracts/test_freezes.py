"""What every ledger promises of stops that people set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from switchover.ports import ALL, Freeze, Ledger

pytestmark = pytest.mark.req("P7", "INV5")

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STOP = Freeze(ALL, "market opens", "ann", NOON, NOON + 5 * HOUR)


def test_a_stop_reads_back_as_it_was_set(ledger: Ledger) -> None:
    """Who, when, why and until when."""
    assert ledger.freezes() == []
    assert ledger.freeze(STOP) == STOP
    one = Freeze("mood", "ünsafe ☀", "bo", NOON + HOUR)
    assert ledger.freeze(one) == one
    assert ledger.freezes() == [STOP, one]


def test_the_same_stop_again_changes_nothing(ledger: Ledger) -> None:
    """The first one's name and time stay."""
    ledger.freeze(STOP)
    assert ledger.freeze(replace(STOP, actor="bo", at=NOON + HOUR)) == STOP
    assert ledger.freezes(lifted=True) == [STOP]


def test_another_reason_takes_the_place_of_the_first(ledger: Ledger) -> None:
    """One stop holds for each scope, and the record keeps both."""
    ledger.freeze(STOP)
    longer = Freeze(ALL, "audit", "bo", NOON + HOUR)
    assert ledger.freeze(longer) == longer
    assert ledger.freezes() == [longer]
    lifted = replace(STOP, lifted_at=NOON + HOUR, lifted_by="bo")
    assert ledger.freezes(lifted=True) == [lifted, longer]


def test_a_lifted_stop_stays_on_record(ledger: Ledger) -> None:
    """Lifting tells which stop ended; doing it again tells the same; others stay."""
    ledger.freeze(STOP)
    ledger.freeze(replace(STOP, scope="mood"))
    lifted = replace(STOP, lifted_at=NOON + HOUR, lifted_by="bo")
    assert ledger.unfreeze(ALL, at=NOON + HOUR, actor="bo") == lifted
    assert ledger.unfreeze(ALL, at=NOON + 2 * HOUR, actor="cy") == lifted
    assert [stop.scope for stop in ledger.freezes()] == ["mood"]
    assert ledger.freezes(lifted=True)[0] == lifted
    assert ledger.unfreeze("other", at=NOON, actor="bo") is None
    assert ledger.freeze(STOP) == STOP


def test_of_stops_set_at_once_one_holds(ledger: Ledger) -> None:
    """Eight people stop everything at the same moment: one stop is on, the rest are lifted."""
    stops = [Freeze(ALL, f"reason {n % 4}", f"p{n}", NOON) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ledger.freeze, stops))
    (on,) = ledger.freezes()
    assert {stop.scope for stop in given} == {ALL}
    assert on.reason in {stop.reason for stop in stops}
    assert ledger.unfreeze(ALL, at=NOON + HOUR, actor="ann") is not None
    assert ledger.freezes() == []


def test_a_stop_holds_for_its_scope_and_its_time() -> None:
    """All, or one migration; until its end, or until it is lifted."""
    assert STOP.holds("mood", NOON + 4 * HOUR)
    assert not STOP.holds("mood", NOON + 5 * HOUR)
    assert Freeze("mood", "x", "ann", NOON).holds("mood", NOON + 9000 * HOUR)
    assert not Freeze("mood", "x", "ann", NOON).holds("shop", NOON)
    assert not replace(STOP, lifted_at=NOON).holds("mood", NOON)

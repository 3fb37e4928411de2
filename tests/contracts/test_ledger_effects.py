"""What every ledger promises of its outbox: in memory, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from switchover.errors import InputError
from switchover.machine.event import Noted
from switchover.ports import Effect, Ledger
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _note() -> Noted:
    return Noted(NOON.timestamp(), "test", "a note")


@pytest.mark.req("P10")
@pytest.mark.req("INV4")
def test_effects_are_leased_oldest_first_and_once(ledger: Ledger) -> None:
    """A claimed effect is nobody else's until its lease runs out; a done one never returns."""
    begin_migration(ledger, at=NOON, effects=[Effect("a", "slack", {"n": 1})])
    later = NOON + timedelta(minutes=1)
    pair = [Effect("c", "file", {}), Effect("b", "file", {})]
    ledger.append("mood", 1, _note(), at=later, actor="ann", effects=pair)
    now = NOON + timedelta(hours=1)
    assert ledger.claim_effects(now=now, lease=30, limit=2) == [
        Effect("a", "slack", {"n": 1}), Effect("c", "file", {}),
    ]  # fmt: skip
    assert [effect.key for effect in ledger.claim_effects(now=now, lease=30)] == ["b"]
    assert ledger.claim_effects(now=now + timedelta(seconds=29), lease=30) == []
    ledger.finish_effect("a", {"thread": "17.3"})
    back = ledger.claim_effects(now=now + timedelta(seconds=30), lease=30)
    assert [effect.key for effect in back] == ["c", "b"]
    assert ledger.effects("mood") == [
        {"key": "a", "kind": "slack", "status": "done", "attempts": 1,
         "result": {"thread": "17.3"}, "error": None},
        {"key": "c", "kind": "file", "status": "leased", "attempts": 2,
         "result": None, "error": None},
        {"key": "b", "kind": "file", "status": "leased", "attempts": 2,
         "result": None, "error": None},
    ]  # fmt: skip


@pytest.mark.req("R8", "P10")
def test_an_effect_that_was_never_tried_goes_before_older_ones_that_failed(ledger: Ledger) -> None:
    """The run of a rollback does not wait for the messages that a Slack which hangs has held up."""
    held_up = [Effect(f"m{n}", "slack", {}) for n in range(3)]
    begin_migration(ledger, at=NOON, effects=held_up)
    for effect in ledger.claim_effects(now=NOON, lease=30):
        ledger.fail_effect(effect.key, "no answer", retry_at=NOON + timedelta(seconds=10))
    later = NOON + timedelta(minutes=1)
    run = [Effect("run", "start_flow", {}), Effect("page", "slack", {})]
    ledger.append("mood", 1, _note(), at=later, actor="ann", effects=run)
    found = ledger.claim_effects(now=later, lease=30)
    assert [effect.key for effect in found] == ["run", "page", "m0", "m1", "m2"]


@pytest.mark.req("P10")
def test_a_failed_effect_waits_for_its_retry(ledger: Ledger) -> None:
    """It comes back at ``retry_at``, with its error and attempts on show."""
    begin_migration(ledger, at=NOON, effects=[Effect("a", "slack", {})])
    assert ledger.claim_effects(now=NOON, lease=30)
    ledger.fail_effect("a", "slack said 503", retry_at=NOON + timedelta(seconds=10))
    assert ledger.claim_effects(now=NOON + timedelta(seconds=9), lease=30) == []
    (shown,) = ledger.effects("mood")
    assert (shown["status"], shown["error"]) == ("failed", "slack said 503")
    assert ledger.claim_effects(now=NOON + timedelta(seconds=10), lease=30)
    ledger.finish_effect("a", {"ok": True})
    (shown,) = ledger.effects("mood")
    assert (shown["status"], shown["attempts"], shown["error"]) == ("done", 2, None)


def test_what_is_done_stays_done(ledger: Ledger) -> None:
    """A late failure or a second result of a slow owner changes nothing."""
    begin_migration(ledger, at=NOON, effects=[Effect("a", "slack", {})])
    ledger.finish_effect("a", {"by": "first"})
    ledger.finish_effect("a", {"by": "second"})
    ledger.fail_effect("a", "too late", retry_at=NOON)
    (shown,) = ledger.effects("mood")
    assert (shown["status"], shown["result"], shown["error"]) == ("done", {"by": "first"}, None)
    assert ledger.claim_effects(now=NOON + timedelta(days=1), lease=30) == []
    with pytest.raises(InputError, match="ghost"):
        ledger.finish_effect("ghost", {})
    with pytest.raises(InputError, match="ghost"):
        ledger.fail_effect("ghost", "?", retry_at=NOON)


@pytest.mark.req("INV4")
def test_an_effect_key_is_queued_once_for_ever(ledger: Ledger) -> None:
    """A second append, or a second mention in one, with the same key adds nothing."""
    same = [Effect("k", "slack", {"text": "one"}), Effect("k", "slack", {"text": "two"})]
    begin_migration(ledger, at=NOON, effects=same)
    ledger.append("mood", 1, _note(), at=NOON, actor="ann", effects=[Effect("k", "file", {})])
    assert ledger.claim_effects(now=NOON, lease=1) == [Effect("k", "slack", {"text": "one"})]
    assert len(ledger.effects("mood")) == 1


def test_concurrent_claims_never_share_an_effect(ledger: Ledger) -> None:
    """Four drains at once lease each of forty effects exactly once."""
    wanted = [Effect(f"k{number:02}", "slack", {}) for number in range(40)]
    begin_migration(ledger, at=NOON, effects=wanted)

    def drain(_: int) -> list[str]:
        keys: list[str] = []
        while batch := ledger.claim_effects(now=NOON, lease=60, limit=3):
            keys += [effect.key for effect in batch]
        return keys

    with ThreadPoolExecutor(4) as pool:
        claimed = sorted(key for keys in pool.map(drain, range(4)) for key in keys)
    assert claimed == [effect.key for effect in wanted]


@pytest.mark.req("P10")
def test_an_effect_for_later_is_claimed_then_and_once(ledger: Ledger) -> None:
    """It waits without hindering the others."""
    later = NOON + timedelta(minutes=2)
    pair = [Effect("late", "file", {}, not_before=later), Effect("soon", "file", {})]
    begin_migration(ledger, at=NOON, effects=pair)
    assert [effect.key for effect in ledger.claim_effects(now=NOON, lease=30)] == ["soon"]
    ledger.finish_effect("soon", {})
    just_before = later - timedelta(microseconds=1)
    assert ledger.claim_effects(now=just_before, lease=30) == []
    assert [effect.key for effect in ledger.claim_effects(now=later, lease=30)] == ["late"]
    assert ledger.claim_effects(now=later, lease=30) == []

"""What every ledger promises: in memory, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from switchover.canonical import digest_of
from switchover.errors import IllegalTransition, InputError, LostRace
from switchover.judge.block import Block
from switchover.ledger import SqlLedger, export, upgrade, verify, verify_export
from switchover.machine.apply import begin
from switchover.machine.event import Held, Noted, Resumed, RolledBack, StageEntered, Started
from switchover.machine.state import Phase
from switchover.ports import Effect, Ledger, StoredPlan
from switchover.testing.ledger import InMemoryLedger, begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        yield InMemoryLedger()
        return
    fixture = {"sqlite": "sqlite_url", "postgres": "postgres_database"}[request.param]
    url = request.getfixturevalue(fixture)
    upgrade(url)
    ledger = SqlLedger(url)
    yield ledger
    ledger.close()


def _note(text: str = "a note") -> Noted:
    return Noted(NOON.timestamp(), "test", text)


def _block(number: int, *, bad: int = 1, start: float = 0.0, system: str = "pair") -> Block:
    return Block(
        f"block-{number}", "mood", "agreement", system, start, 60.0, 10, bad, 1.5, 2.25,
        {-3: 4, 12: 6}, epoch=2,
    )  # fmt: skip


def _count(known: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
    """A fold that tells what it was given."""
    seen = known or {"n": 0, "ids": []}
    ids = seen["ids"] + [block.id for block in blocks]
    return {"n": seen["n"] + sum(block.n for block in blocks), "ids": ids}


@pytest.mark.req("K6")
def test_a_created_migration_reads_back_as_it_was_written(ledger: Ledger) -> None:
    """State, plan and entry come back equal, at revision 1."""
    document = {"name": "Stimmung ☀", "gates": [{"limit": 0.85}], "empty": None}
    made = begin_migration(ledger, document=document, at=NOON)
    assert ledger.read("mood") == made
    assert made.state.revision == made.state.epoch == 1
    assert made.plan == StoredPlan(1, digest_of(document), document, "plans")
    (entry,) = ledger.entries("mood")
    assert (entry.kind, entry.actor, entry.at, entry.revision) == ("started", "ann", NOON, 1)
    assert ledger.cursor("mood") == ""
    assert ledger.evidence("mood") is None


@pytest.mark.req("INV1")
def test_a_migration_is_created_once(ledger: Ledger) -> None:
    """The second creation loses and leaves nothing behind."""
    first = begin_migration(ledger)
    with pytest.raises(LostRace):
        begin_migration(ledger, actor="bob", effects=[Effect("late", "slack", {})])
    assert ledger.read("mood") == first
    assert ledger.effects("mood") == []


@pytest.mark.req("INV1")
def test_an_append_applies_the_event_at_the_next_revision(ledger: Ledger) -> None:
    """The new state is the machine's, and what is read afterwards equals what was returned."""
    begin_migration(ledger)
    event = StageEntered(1, "canary", "gradual", 1000, 0, 5.0, 90.0, {"agreement": 0.97})
    made = ledger.append("mood", 1, event, at=NOON, actor="advance")
    assert (made.state.revision, made.state.epoch, made.state.split) == (2, 2, 1000)
    assert ledger.read("mood") == made
    assert ledger.entries("mood", after=1)[0].payload["evidence"] == {"agreement": 0.97}


@pytest.mark.req("INV1")
def test_a_step_from_an_old_revision_loses_the_race(ledger: Ledger) -> None:
    """Neither the entry nor its effect is written."""
    begin_migration(ledger)
    kept = ledger.append("mood", 1, _note("first"), at=NOON, actor="ann")
    with pytest.raises(LostRace) as lost:
        ledger.append(
            "mood", 1, _note("second"), at=NOON, actor="bob", effects=[Effect("k", "slack", {})]
        )
    assert (lost.value.migration, lost.value.expected) == ("mood", 1)
    with pytest.raises(LostRace):
        ledger.append("mood", 7, _note("from the future"), at=NOON, actor="bob")
    assert ledger.read("mood") == kept
    assert [entry.actor for entry in ledger.entries("mood")] == ["ann", "ann"]
    assert ledger.effects("mood") == []


@pytest.mark.req("INV1")
def test_of_many_appends_at_once_one_wins(ledger: Ledger) -> None:
    """Eight threads try the same step: one succeeds, seven are told so."""
    begin_migration(ledger)

    def attempt(name: str) -> bool:
        try:
            ledger.append("mood", 1, _note(), at=NOON, actor=name)
        except LostRace:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, "abcdefgh"))
    assert won.count(True) == 1
    assert ledger.entries("mood")[1].actor == "abcdefgh"[won.index(True)]


@pytest.mark.req("T1")
def test_an_illegal_step_leaves_nothing_behind(ledger: Ledger) -> None:
    """The machine's refusal rolls entry, plan and effects back."""
    kept = begin_migration(ledger)
    second = StoredPlan(2, digest_of({"v": 2}), {"v": 2}, "plans")
    with pytest.raises(IllegalTransition):
        ledger.append(
            "mood", 1, Resumed(1.0, "ann", "?"), at=NOON, actor="ann", plan=second,
            effects=[Effect("k", "slack", {})],
        )  # fmt: skip
    assert ledger.read("mood") == kept
    assert len(ledger.entries("mood")) == len(ledger.plans("mood")) == 1
    assert ledger.effects("mood") == []


def test_entries_come_in_order_and_in_pages(ledger: Ledger) -> None:
    """``after`` and ``limit`` page through the record without gap or overlap."""
    begin_migration(ledger)
    for revision in range(1, 6):
        ledger.append("mood", revision, _note(str(revision)), at=NOON, actor="ann")
    everything = ledger.entries("mood")
    assert [entry.revision for entry in everything] == [1, 2, 3, 4, 5, 6]
    assert ledger.entries("mood", after=2, limit=2) == everything[2:4]
    assert ledger.entries("mood", after=4) == everything[4:]
    assert ledger.entries("mood", after=6) == []


@pytest.mark.req("K4")
def test_each_entry_continues_the_one_before(ledger: Ledger) -> None:
    """The chain links and verifies, live and exported."""
    begin_migration(ledger)
    ledger.append("mood", 1, Held(1.0, "ann", "lunch"), at=NOON, actor="ann")
    ledger.append("mood", 2, Resumed(2.0, "ann", "fed"), at=NOON, actor="ann")
    entries = ledger.entries("mood")
    assert [entry.previous for entry in entries[1:]] == [entry.digest for entry in entries[:-1]]
    assert verify(ledger) == []
    assert verify_export(export(ledger)) == []


def test_migrations_are_listed_by_name(ledger: Ledger) -> None:
    """Every migration appears once, with its present state."""
    for slug in ("voxray", "agents", "mood"):
        begin_migration(ledger, slug)
    ledger.append("mood", 1, Held(1.0, "ann", "lunch"), at=NOON, actor="ann")
    states = ledger.migrations()
    assert [state.migration for state in states] == ["agents", "mood", "voxray"]
    assert [state.phase for state in states] == [Phase.RUNNING, Phase.HELD, Phase.RUNNING]


def test_an_unknown_migration_is_named(ledger: Ledger) -> None:
    """Every question about it is answered with ``InputError``."""
    questions = [
        lambda: ledger.read("moon"),
        lambda: ledger.entries("moon"),
        lambda: ledger.plans("moon"),
        lambda: ledger.cursor("moon"),
        lambda: ledger.evidence("moon"),
        lambda: ledger.rates("moon", "agreement"),
        lambda: ledger.effects("moon"),
        lambda: ledger.ingest("moon", [], "1-0", _count),
        lambda: ledger.append("moon", 1, _note(), at=NOON, actor="ann"),
    ]
    for question in questions:
        with pytest.raises(InputError, match="moon"):
            question()


def test_a_plan_change_is_a_new_version(ledger: Ledger) -> None:
    """Both versions stay, the newer one is current, and the record verifies."""
    begin_migration(ledger, document={"v": 1})
    second = StoredPlan(2, digest_of({"v": 2}), {"v": 2}, "elsewhere")
    made = ledger.append("mood", 1, _note("plan changed"), at=NOON, actor="ann", plan=second)
    assert made.plan == ledger.read("mood").plan == second
    assert [plan.document for plan in ledger.plans("mood")] == [{"v": 1}, {"v": 2}]
    assert ledger.append("mood", 2, _note(), at=NOON, actor="ann").plan == second
    assert verify(ledger) == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (StoredPlan(3, digest_of({"v": 2}), {"v": 2}, ""), "does not follow"),
        (StoredPlan(2, digest_of({"v": 9}), {"v": 2}, ""), "digest"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    ledger: Ledger, plan: StoredPlan, words: str
) -> None:
    """A skipped version or a wrong digest is bad input, and nothing is written."""
    kept = begin_migration(ledger, document={"v": 1})
    with pytest.raises(InputError, match=words):
        ledger.append("mood", 1, _note(), at=NOON, actor="ann", plan=plan)
    assert ledger.read("mood") == kept


def test_a_first_entry_that_contradicts_itself_is_refused(ledger: Ledger) -> None:
    """Plan, event and state of a creation have to agree."""
    plan = StoredPlan(1, digest_of({"v": 1}), {"v": 1}, "")
    good = Started(plan.digest, "salt", "string", 1.0, "ann")
    state = begin("mood", good)
    wrong = [
        (plan, state, _note()),
        (plan, state, replace(good, plan="0" * 64)),
        (plan, replace(state, split=5000), good),
        (replace(plan, version=2), state, good),
    ]
    for stored, claimed, event in wrong:
        with pytest.raises(InputError):
            ledger.create(stored, claimed, event, at=NOON, actor="ann")
    assert ledger.migrations() == []


def test_a_rolled_back_migration_starts_again_with_a_stored_plan(ledger: Ledger) -> None:
    """The second attempt names a plan that the ledger holds, or is refused."""
    first = begin_migration(ledger).plan
    ledger.append("mood", 1, RolledBack(1.0, "ann", "hand", "bad", "h1", "i1"), at=NOON, actor="a")
    with pytest.raises(InputError, match="plan"):
        ledger.append("mood", 2, Started("0" * 64, "s", "string", 2.0, "ann"), at=NOON, actor="a")
    again = Started(first.digest, "s", "string", 2.0, "ann")
    made = ledger.append("mood", 2, again, at=NOON, actor="a")
    assert (made.state.attempt, made.state.phase) == (2, Phase.RUNNING)
    assert verify(ledger) == []


def test_a_moment_without_time_zone_is_refused(ledger: Ledger) -> None:
    """Naive times would hash differently on different machines."""
    with pytest.raises(InputError, match="time zone"):
        begin_migration(ledger, at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_numbers_that_json_lacks_are_written_down(ledger: Ledger) -> None:
    """An infinite evidence value reaches the record, as text, and it verifies."""
    begin_migration(ledger)
    event = RolledBack(
        1.0, "gate", "gate", "bad", "h", "i", reading={"evidence": float("inf"), "by": {1: "x"}}
    )
    ledger.append("mood", 1, event, at=NOON, actor="gate")
    assert ledger.entries("mood")[1].payload["reading"] == {"evidence": "inf", "by": {"1": "x"}}
    assert verify(ledger) == []


def test_what_is_read_can_be_changed_without_changing_the_ledger(ledger: Ledger) -> None:
    """Callers get their own copies."""
    begin_migration(ledger, document={"list": [1]}, effects=[Effect("k", "slack", {"a": [1]})])
    ledger.read("mood").plan.document["list"].append(2)
    ledger.entries("mood")[0].payload["actor"] = "mallory"
    ledger.claim_effects(now=NOON, lease=0)[0].payload["a"].append(2)
    assert ledger.read("mood").plan.document == {"list": [1]}
    assert ledger.entries("mood")[0].payload["actor"] == "ann"
    assert ledger.claim_effects(now=NOON, lease=0)[0].payload == {"a": [1]}
    assert verify(ledger) == []


@pytest.mark.req("O1")
@pytest.mark.req("INV4")
def test_a_block_is_folded_once_however_often_it_comes(ledger: Ledger) -> None:
    """Duplicates in one batch, and a repeated delivery, count once; the cursor moves."""
    begin_migration(ledger)
    batch = [_block(1), _block(2), _block(1)]
    got = ledger.ingest("mood", batch, "5-0", _count)
    assert (got.fresh, got.duplicates) == (2, 1)
    assert got.evidence == {"n": 20, "ids": ["block-1", "block-2"]}
    again = ledger.ingest("mood", [_block(2), _block(3)], "6-0", _count)
    assert (again.fresh, again.duplicates) == (1, 1)
    assert again.evidence["ids"] == ["block-1", "block-2", "block-3"]
    assert ledger.evidence("mood") == again.evidence
    assert ledger.cursor("mood") == "6-0"


def test_a_delivery_that_brings_nothing_new_does_not_fold(ledger: Ledger) -> None:
    """The evidence stays as it is; only the cursor moves."""
    begin_migration(ledger)
    ledger.ingest("mood", [_block(1)], "5-0", _count)

    def forbidden(known: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
        raise AssertionError("folded nothing")

    got = ledger.ingest("mood", [_block(1)], "6-0", forbidden)
    assert (got.fresh, got.duplicates, got.evidence["n"]) == (0, 1, 10)
    assert ledger.cursor("mood") == "6-0"


def test_a_failing_fold_stores_no_block(ledger: Ledger) -> None:
    """Blocks, evidence and cursor move together or not at all."""
    begin_migration(ledger)

    def broken(known: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.ingest("mood", [_block(1)], "5-0", broken)
    assert ledger.cursor("mood") == ""
    assert ledger.ingest("mood", [_block(1)], "5-0", _count).fresh == 1


def test_a_block_that_can_not_be_meant_is_refused(ledger: Ledger) -> None:
    """Another migration's block, or a sum that is no number, is bad input."""
    begin_migration(ledger)
    for block in (replace(_block(1), migration="voxray"), replace(_block(2), total=float("nan"))):
        with pytest.raises(InputError, match=block.id):
            ledger.ingest("mood", [block], "5-0", _count)
    assert ledger.evidence("mood") is None


def test_concurrent_collectors_are_serialised(ledger: Ledger) -> None:
    """Four collectors with overlapping batches fold every block once."""
    begin_migration(ledger)
    batches = [[_block(n) for n in range(start, start + 40)] for start in (0, 10, 20, 30)]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda batch: ledger.ingest("mood", batch, "1-0", _count), batches))
    assert sum(ingested.fresh for ingested in got) == 70
    evidence = ledger.evidence("mood")
    assert evidence is not None
    assert evidence["n"] == 700
    assert len(set(evidence["ids"])) == len(evidence["ids"]) == 70


def test_a_large_batch_passes_the_parameter_limits(ledger: Ledger) -> None:
    """More blocks than one statement may hold arrive in one call."""
    begin_migration(ledger)
    got = ledger.ingest("mood", [_block(n) for n in range(6001)], "9-0", _count)
    assert (got.fresh, got.evidence["n"]) == (6001, 60010)


def test_rates_count_per_interval_and_system(ledger: Ledger) -> None:
    """Equal intervals between the first and the last block, in order of time."""
    begin_migration(ledger)
    batch = [_block(n, bad=n, start=60.0 * n) for n in range(4)]
    batch.append(_block(9, bad=5, start=180.0, system="candidate"))
    ledger.ingest("mood", batch, "1-0", _count)
    drawn = ledger.rates("mood", "agreement", bins=2)
    assert [(row["system"], row["n"], row["bad"]) for row in drawn] == [
        ("pair", 20, 1), ("candidate", 10, 5), ("pair", 20, 5),
    ]  # fmt: skip
    assert drawn[0]["at"] == 0.0
    assert 60.0 < drawn[1]["at"] == drawn[2]["at"] <= 120.0
    assert sum(row["n"] for row in ledger.rates("mood", "agreement", since=120.0)) == 30
    assert ledger.rates("mood", "agreement", since=999.0) == []
    assert ledger.rates("mood", "unheard_of") == []
    with pytest.raises(InputError, match="intervals"):
        ledger.rates("mood", "agreement", bins=0)


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

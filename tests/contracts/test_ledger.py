"""What every ledger promises: in memory, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from switchover.canonical import digest_of
from switchover.errors import IllegalTransition, InputError, LostRace
from switchover.ledger import export, verify, verify_export
from switchover.machine.apply import begin
from switchover.machine.event import Held, Noted, Resumed, RolledBack, StageEntered, Started
from switchover.machine.state import Phase
from switchover.ports import Effect, Ledger, StoredPlan
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _note(text: str = "a note") -> Noted:
    return Noted(NOON.timestamp(), "test", text)


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
        lambda: ledger.ingest("moon", [], "1-0", lambda known, blocks: {}),
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
def test_a_plan_that_does_not_fit_is_refused(ledger: Ledger, plan: StoredPlan, words: str) -> None:
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
        begin_migration(ledger, at=datetime(2026, 1, 1))


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


@pytest.mark.req("P10", "K6")
def test_many_are_read_at_once_as_each_by_itself(ledger: Ledger) -> None:
    """Newest state, newest plan, cursor and evidence; a name that nobody knows is left out."""
    for name in ("a", "b", "c"):
        begin_migration(ledger, name, at=NOON)
    newer = StoredPlan(2, digest_of({"new": 1}), {"new": 1}, "plans")
    ledger.append("b", 1, _note(), at=NOON, actor="ann", plan=newer)
    ledger.ingest("c", (), "5-0", lambda *_: {"stage": 1}, always=True)
    found = ledger.standings(["c", "b", "a", "nobody"])
    assert sorted(found) == ["a", "b", "c"]
    for name, each in found.items():
        assert each.record == ledger.read(name)
        assert each.cursor == ledger.cursor(name)
        assert each.evidence == ledger.evidence(name)
    assert found["b"].record.plan == newer
    assert (found["c"].cursor, found["c"].evidence) == ("5-0", {"stage": 1})
    assert ledger.standings([]) == {}

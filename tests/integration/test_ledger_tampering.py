"""Somebody with write access to the database changes the record: the audit finds and names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, inspect, text

from switchover.canonical import canonical, digest_of
from switchover.ledger import SqlLedger, anchors_of, export, upgrade, verify, verify_export
from switchover.ledger.audit import Anchor
from switchover.ledger.chain import Chain, Link
from switchover.machine.event import Held, Noted, Resumed, StageEntered
from switchover.ports import Effect, StoredPlan
from switchover.testing.ledger import begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEY = b"a secret that the database does not hold"


def _fill(ledger: SqlLedger, slug: str = "mood") -> None:
    begin_migration(ledger, slug, at=NOON, effects=[Effect(f"{slug}-1", "slack", {})])
    second = StoredPlan(2, digest_of({"v": 2}), {"v": 2}, "plans")
    ledger.append(slug, 1, Noted(1.0, "plan", "changed"), at=NOON, actor="ann", plan=second)
    ledger.append(
        slug, 2, StageEntered(1, "canary", "gradual", 1000, 0, 2.0, 3.0), at=NOON, actor="cron"
    )
    ledger.append(slug, 3, Held(4.0, "bob", "lunch"), at=NOON, actor="bob")
    ledger.append(slug, 4, Resumed(5.0, "bob", "fed"), at=NOON, actor="bob")


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[SqlLedger]:
    upgrade(sqlite_url)
    ledger = SqlLedger(sqlite_url, KEY)
    _fill(ledger)
    _fill(ledger, "voxray")
    yield ledger
    ledger.close()


def _attack(ledger: SqlLedger, *statements: str, **values: object) -> None:
    """Run the statements as somebody who first takes the triggers away."""
    engine = create_engine(ledger.engine.url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            names = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in connection.execute(names).scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("entries", "plans", "migrations"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            if used:
                connection.execute(text(statement), used)
            else:  # colons in it are JSON's
                connection.exec_driver_sql(statement)
    engine.dispose()


_MOOD = "WHERE migration = 'mood' AND revision"
_MOVE = "UPDATE entries SET revision = {} " + _MOOD + " = {}"
_FORGED = (
    "INSERT INTO entries SELECT migration, {}, at, actor, kind, payload, {}, {} "
    f"FROM entries {_MOOD} = 4"
)
_HEAD = "UPDATE migrations SET {} WHERE slug = 'mood'"
_PLAN = "UPDATE plans SET {} WHERE migration = 'mood' AND version = 2"

#: what was done -> the statements, and one fault that the audit has to report.
ATTACKS: dict[str, tuple[list[str], str]] = {
    "payload changed": (
        [f"""UPDATE entries SET payload = replace(payload, '1000', '9000') {_MOOD} = 3"""],
        "mood, revision 3: does not match its digest (changed or forged)",
    ),
    "payload no longer JSON": (
        [f"UPDATE entries SET payload = '{{' {_MOOD} = 3"],
        "mood, revision 3: can't have happened",
    ),
    "payload with more spaces": (
        [f"UPDATE entries SET payload = payload || ' ' {_MOOD} = 3"],
        "mood, revision 3: does not match its digest (changed or forged)",
    ),
    "actor changed": (
        [f"UPDATE entries SET actor = 'eve' {_MOOD} = 4"],
        "mood, revision 4: does not match its digest (changed or forged)",
    ),
    "time changed": (
        [f"UPDATE entries SET at = '2026-01-05T11:00:00.000000+00:00' {_MOOD} = 4"],
        "mood, revision 4: does not match its digest (changed or forged)",
    ),
    "kind changed": (
        [f"UPDATE entries SET kind = 'resumed' {_MOOD} = 4"],
        "mood, revision 4: does not match its digest (changed or forged)",
    ),
    "previous changed": (
        [f"UPDATE entries SET previous = digest {_MOOD} = 4"],
        "mood, revision 4: does not continue revision 3",
    ),
    "digest changed": (
        [f"UPDATE entries SET digest = previous {_MOOD} = 4"],
        "mood, revision 5: does not continue revision 4",
    ),
    "first previous changed": (
        [f"UPDATE entries SET previous = digest {_MOOD} = 1"],
        "mood, revision 1: is not the beginning of this migration's chain",
    ),
    "text that is not UTF-8": (
        [f"UPDATE entries SET actor = CAST(x'ff' AS TEXT) {_MOOD} = 4"],
        "mood, revision 4: does not match its digest (changed or forged)",
    ),
    "a column of another type": (
        [f"UPDATE entries SET payload = x'00' {_MOOD} = 4"],
        "mood: an entry (4) was changed: payload can't be read",
    ),
    "middle removed": (
        [f"DELETE FROM entries {_MOOD} = 3"],
        "mood: revision 3 is missing (removed)",
    ),
    "beginning removed": (
        [f"DELETE FROM entries {_MOOD} < 3"],
        "mood: revisions 1 to 2 are missing (removed)",
    ),
    "middle removed and the rest moved up": (
        [f"DELETE FROM entries {_MOOD} = 3", _MOVE.format(3, 4), _MOVE.format(4, 5)],
        "mood, revision 3: was written as revision 4 (reordered)",
    ),
    "tail removed": (
        [f"DELETE FROM entries {_MOOD} >= 4"],
        "mood: revisions 4 to 5 are missing at the end (removed)",
    ),
    "tail removed and head mended": (
        [
            f"DELETE FROM entries {_MOOD} = 5",
            _HEAD.format(f"revision = 4, head = (SELECT digest FROM entries {_MOOD} = 4)"),
        ],
        "mood, revision 4: the seal does not fit the head (the end was cut off or changed)",
    ),
    "all entries removed": (
        ["DELETE FROM entries WHERE migration = 'mood'"],
        "mood: revisions 1 to 5 are missing: there are no entries (removed)",
    ),
    "two entries swapped": (
        [_MOVE.format(99, 3), _MOVE.format(3, 4), _MOVE.format(4, 99)],
        "mood, revision 3: was written as revision 4 (reordered)",
    ),
    "entry forged at the end": (
        [_FORGED.format(6, "digest", "'" + "0" * 64 + "'")],
        "mood: revision 6 is beyond the head (inserted, or the head was changed)",
    ),
    "entry duplicated at the end": (
        [_FORGED.format(6, "previous", "digest")],
        "mood, revision 6: was written as revision 4 (reordered)",
    ),
    "entry moved from another migration": (
        [
            f"DELETE FROM entries {_MOOD} = 4",
            "UPDATE entries SET migration = 'mood' WHERE migration = 'voxray' AND revision = 4",
        ],
        "mood, revision 4: does not match its digest (changed or forged)",
    ),
    "state edited": (
        [_HEAD.format("state = replace(state, '\"split\":1000', '\"split\":9999')")],
        "mood, revision 5: the stored state is not what the entries make (changed): split",
    ),
    "state unreadable": (
        [_HEAD.format("state = '[]'")],
        "mood, revision 5: the stored state can't be read (changed)",
    ),
    "head edited": (
        [_HEAD.format("head = seal")],
        "mood, revision 5: the migration's head is not the digest of its last entry (changed)",
    ),
    "seal edited": (
        [_HEAD.format("seal = head")],
        "mood, revision 5: the seal does not fit the head",
    ),
    "revision edited": (
        [_HEAD.format("revision = 4")],
        "mood: revision 5 is beyond the head (inserted, or the head was changed)",
    ),
    "updated_at edited": (
        [_HEAD.format("updated_at = '2025'")],
        "mood, revision 5: updated_at is not the time of the last entry (changed)",
    ),
    "plan_version edited": (
        [_HEAD.format("plan_version = 1")],
        "mood, revision 5: plan_version is 1, the newest plan is 2 (changed)",
    ),
    "migration renamed": (
        ["UPDATE migrations SET slug = 'moot' WHERE slug = 'mood'"],
        "mood: the migration's row is missing, its entries are there (removed)",
    ),
    "row removed": (
        ["DELETE FROM migrations WHERE slug = 'mood'"],
        "mood: the migration's row is missing, its entries are there (removed)",
    ),
    "row and entries removed": (
        [
            "DELETE FROM migrations WHERE slug = 'mood'",
            "DELETE FROM entries WHERE migration='mood'",
        ],
        "mood: the migration's row is missing, and so are its entries (removed)",
    ),
    "plan document edited": (
        [_PLAN.format("""document = '{"v":3}'""")],
        "mood, plan version 2: the document does not match its digest (changed)",
    ),
    "plan document and digest edited": (
        [_PLAN.format(f"""document = '{{"v":3}}', digest = '{digest_of({"v": 3})}'""")],
        "mood, plan version 2: digest is not what revision 2 stored (changed)",
    ),
    "plan directory edited": (
        [_PLAN.format("directory = '/tmp/evil'")],
        "mood, plan version 2: directory is not what revision 2 stored (changed)",
    ),
    "plan removed": (
        ["DELETE FROM plans WHERE migration = 'mood' AND version = 2"],
        "mood, plan version 2: missing, revision 2 stored it (removed)",
    ),
    "plan inserted": (
        [
            "INSERT INTO plans SELECT migration, 3, digest, document, directory "
            "FROM plans WHERE migration = 'mood' AND version = 2"
        ],
        "mood, plan version 3: no entry stored it (inserted)",
    ),
}


@pytest.mark.req("K4")
@pytest.mark.req("INV11")
@pytest.mark.parametrize("attack", ATTACKS)
def test_tampering_is_found_and_named(ledger: SqlLedger, attack: str) -> None:
    """Live and in an export, the fault names the migration, the revision and what is wrong."""
    assert verify(ledger) == []
    statements, fault = ATTACKS[attack]
    _attack(ledger, *statements)
    found = verify(ledger)
    assert [line for line in found if line.startswith(fault)], found
    assert verify(ledger, "mood"), "the audit of the one migration is silent"
    exported = verify_export(export(ledger), KEY)
    # A file has nothing but rows: a migration without any leaves no trace in it.
    assert exported or attack == "row and entries removed"


@pytest.mark.req("K4")
def test_who_holds_no_key_can_not_rewrite_the_record(ledger: SqlLedger) -> None:
    """A whole chain recomputed without the key is found, down to its revisions."""
    _rewrite(ledger, Chain(None))
    assert verify(ledger) != []
    assert any("mood: revisions 1 to 5 do not match their digests" in f for f in verify(ledger))


@pytest.mark.req("K4")
def test_an_earlier_export_finds_what_the_key_holder_rewrote(ledger: SqlLedger) -> None:
    """A chain recomputed with the key verifies by itself, and differs from the anchor."""
    anchors = anchors_of(export(ledger))
    assert verify(ledger, anchors=anchors) == []
    _rewrite(ledger, Chain(KEY))
    assert verify(ledger) == []
    fault = "mood, revision 5: is not what an earlier export has (rewritten)"
    assert verify(ledger, anchors=anchors) == [fault]
    assert verify_export(export(ledger), KEY, anchors) == [fault]


@pytest.mark.req("K4")
def test_an_earlier_export_finds_a_record_cut_off_without_a_trace(ledger: SqlLedger) -> None:
    """Truncation with the right seal, and the removal of a migration everywhere."""
    anchors: dict[str, Anchor] = anchors_of(export(ledger))
    before = {copy.migration: copy for copy in ledger.copies()}["mood"]
    link = before.links[3]
    held = json.loads(next(export(ledger, "mood")))["state"]
    _attack(
        ledger,
        f"DELETE FROM entries {_MOOD} = 5",
        _HEAD.format("revision = 4, head = :head, seal = :seal, state = :state"),
        *(
            f"DELETE FROM {table} WHERE {column} = 'voxray'"
            for table, column in (
                ("migrations", "slug"), ("entries", "migration"), ("plans", "migration"),
                ("evidence", "migration"), ("effects", "migration"),
            )
        ),
        head=link.digest,
        seal=Chain(KEY).seal("mood", 4, link.digest),
        state=canonical(held | {"revision": 4, "phase": "held", "reason": "lunch"}),
    )  # fmt: skip
    assert verify(ledger) == []
    assert verify(ledger, anchors=anchors) == [
        "mood: revision 5 is missing, an earlier export has revision 5 (removed)",
        "voxray, revision 5: an earlier export has it, the whole migration is missing (removed)",
    ]


def test_every_column_of_the_record_is_covered(ledger: SqlLedger) -> None:
    """A value written over any column of entries, plans or migrations is found."""
    engine = ledger.engine
    columns = [
        (table, column["name"])
        for table in ("migrations", "entries", "plans")
        for column in inspect(engine).get_columns(table)
    ]
    assert len(columns) > 15
    for table, column in columns:
        where = "slug = 'mood'" if table == "migrations" else "migration = 'mood'"
        row = f"rowid = (SELECT max(rowid) FROM {table} WHERE {where})"
        with engine.connect() as connection:
            old = connection.execute(text(f"SELECT {column} FROM {table} WHERE {row}")).scalar_one()
            rowid = connection.execute(
                text(f"SELECT max(rowid) FROM {table} WHERE {where}")
            ).scalar()
        new = old + 40 if isinstance(old, int) else old + "x"
        change = f"UPDATE {table} SET {column} = :value WHERE rowid = {rowid}"
        _attack(ledger, change, value=new)
        assert verify(ledger), f"{table}.{column} can be changed unseen"
        _attack(ledger, change, value=old)
        assert verify(ledger) == []


def _rewrite(ledger: SqlLedger, chain: Chain) -> None:
    """Blame somebody else for revision 4 and recompute everything that follows from it."""
    copy = next(copy for copy in ledger.copies() if copy.migration == "mood")
    previous = chain.origin("mood", json.loads(copy.links[0].payload)["plan"])
    for link in copy.links:
        actor = "eve" if link.revision == 4 else link.actor
        fields = (link.migration, link.revision, link.at, actor, link.kind, link.payload, previous)
        made = Link(*fields, digest="")
        digest = chain.digest(made)
        _attack(
            ledger,
            f"UPDATE entries SET actor = :actor, previous = :prev, digest = :made {_MOOD} = :rev",
            actor=actor, prev=previous, made=digest, rev=link.revision,
        )  # fmt: skip
        previous = digest
    _attack(
        ledger, _HEAD.format("head = :head, seal = :seal"),
        head=previous, seal=chain.seal("mood", 5, previous),
    )  # fmt: skip

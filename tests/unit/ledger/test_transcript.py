"""An export verifies by itself: standard library, no database, no trust in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.ledger import anchors_of, export, verify_export
from switchover.machine.event import Held, Resumed
from switchover.testing.ledger import InMemoryLedger, begin_migration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _lines(key: bytes | None = None) -> list[str]:
    ledger = InMemoryLedger(key)
    for slug in ("agents", "mood"):
        begin_migration(ledger, slug)
        ledger.append(slug, 1, Held(1.5, "ann", "lunch"), at=NOON, actor="ann")
        ledger.append(slug, 2, Resumed(2.5, "ann", "fed"), at=NOON, actor="ann")
    return list(export(ledger))


LINES = _lines()


@pytest.mark.req("K4")
def test_every_line_is_json_and_the_last_one_holds_the_heads() -> None:
    """Rows, plans and entries of each migration, then the end."""
    rows = [json.loads(line) for line in LINES]
    one = ["migration", "plan", "entry", "entry", "entry"]
    assert [row["type"] for row in rows] == [*one, *one, "end"]
    heads = {slug: (head[0], head[1]) for slug, head in rows[-1]["heads"].items()}
    assert anchors_of(LINES) == heads
    assert heads["mood"] == (3, rows[-2]["digest"])
    assert rows[2]["payload"]["actor"] == "ann"


@pytest.mark.req("K4")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.data())
def test_any_changed_character_is_found(number: int, data: st.DataObject) -> None:
    """One character of one line, anywhere."""
    line = LINES[number]
    place = data.draw(st.integers(0, len(line) - 1))
    # Not e: 1.5 and 15e-1 are the same number, and no change.
    new = data.draw(st.sampled_from('0179abz{}[]",: ').filter(lambda c: c != line[place]))
    changed = line[:place] + new + line[place + 1 :]
    if _reads_the_same(line, changed):
        return
    assert verify_export([*LINES[:number], changed, *LINES[number + 1 :]])


def _reads_the_same(line: str, changed: str) -> bool:
    try:
        return bool(json.loads(line) == json.loads(changed))
    except ValueError:
        return False


@pytest.mark.req("K4")
@given(st.integers(0, len(LINES) - 1))
def test_any_removed_line_is_found(number: int) -> None:
    """A row, a plan, an entry, or the end."""
    assert verify_export([*LINES[:number], *LINES[number + 1 :]])


@pytest.mark.req("K4")
@given(st.integers(0, len(LINES) - 1))
def test_an_export_that_was_cut_off_is_found(number: int) -> None:
    """However little is left, even nothing."""
    found = verify_export(LINES[:number])
    assert found[0] == "the end of the export is missing (cut off)"


@pytest.mark.req("K4")
def test_a_migration_left_out_is_found_though_the_end_was_mended() -> None:
    """Without the key nobody closes the list of heads again."""
    lines = _lines(b"key")
    assert verify_export(lines, b"key") == []
    end = json.loads(lines[-1])
    del end["heads"]["agents"]
    mended = [*lines[5:-1], json.dumps(end)]
    assert verify_export(mended, b"key") == ["line 6: the seal does not fit the heads (changed)"]


@pytest.mark.req("K4")
def test_an_earlier_export_is_an_anchor_for_a_later_one() -> None:
    """A shorter record than before is found, a longer one is fine."""
    ledger = InMemoryLedger()
    begin_migration(ledger)
    early = list(export(ledger))
    ledger.append("mood", 1, Held(1.0, "ann", "lunch"), at=NOON, actor="ann")
    late = list(export(ledger))
    assert verify_export(late, anchors=anchors_of(early)) == []
    assert verify_export(early, anchors=anchors_of(late)) == [
        "mood: revision 2 is missing, an earlier export has revision 2 (removed)"
    ]
    with pytest.raises(InputError, match="cut off"):
        anchors_of(late[:-1])


def test_lines_that_are_no_export_are_faults() -> None:
    """Each is named by its number; blank lines are not lines."""
    found = verify_export(["", "hello", "[]", '{"type":"poem"}', '{"type":"end"}', *LINES])
    assert [fault.split(":")[0] for fault in found] == ["line 2", "line 3", "line 4", "line 5"]


@pytest.mark.req("K4")
def test_verifying_an_export_needs_no_database_library() -> None:
    """The offline path imports the standard library and the machine only."""
    code = (
        "import sys\n"
        "from switchover.ledger import verify_export\n"
        "heavy = {'sqlalchemy', 'alembic', 'psycopg', 'pydantic', 'redis'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert verify_export(sys.stdin) == []\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(LINES), text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

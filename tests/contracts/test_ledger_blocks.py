"""What every ledger promises of blocks and evidence: in memory, SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from switchover.errors import InputError
from switchover.judge.block import Block
from switchover.ports import Ledger
from switchover.testing.ledger import begin_migration


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

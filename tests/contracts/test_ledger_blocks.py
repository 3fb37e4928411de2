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


@pytest.mark.req("O6")
def test_a_delivery_can_ask_to_be_folded_without_anything_new(ledger: Ledger) -> None:
    """What is not in blocks, such as that a source can't be read, changes the evidence too."""
    begin_migration(ledger)
    ledger.ingest("mood", [_block(1)], "5-0", _count)

    def note(known: dict[str, Any] | None, blocks: Sequence[Block]) -> dict[str, Any]:
        return {**(known or {}), "note": len(blocks)}

    got = ledger.ingest("mood", [_block(1)], "6-0", note, always=True)
    assert (got.fresh, got.evidence["n"], got.evidence["note"]) == (0, 10, 0)
    assert ledger.evidence("mood") == got.evidence
    assert ledger.ingest("mood", [], "6-0", note, always=True).fresh == 0


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


@pytest.mark.req("O5")
def test_stored_blocks_are_read_back_in_order_of_time(ledger: Ledger) -> None:
    """Exactly as they came, those of the interval and of the migration only."""
    begin_migration(ledger)
    begin_migration(ledger, "other")
    batch = [_block(n, start=60.0 * n) for n in (3, 1, 2, 0)]
    ledger.ingest("mood", batch, "1-0", _count)
    ledger.ingest("other", [replace(_block(9, start=60.0), migration="other")], "1-0", _count)
    found = list(ledger.blocks("mood", 60.0, 180.0))
    assert found == [_block(1, start=60.0), _block(2, start=120.0)]
    assert len(list(ledger.blocks("mood", 0.0, float("inf")))) == 4
    assert list(ledger.blocks("mood", 999.0, float("inf"))) == []
    with pytest.raises(InputError, match="no migration"):
        list(ledger.blocks("unheard-of", 0.0, 1.0))


@pytest.mark.req("O3")
@pytest.mark.req("INV4")
def test_stages_are_summed_up_once_however_often_blocks_come(ledger: Ledger) -> None:
    """By attempt, stage, metric and system; what belongs to no stage is left out."""
    begin_migration(ledger)

    def part(document: dict[str, Any], block: Block) -> tuple[int, int] | None:
        assert block.id in document["ids"], "asked before the fold"
        return None if block.start < 0 else (1, int(block.start // 100))

    def deliver(*blocks: Block) -> None:
        ledger.ingest("mood", blocks, "1-0", _count, part=part)

    deliver(_block(1), _block(2, bad=3), _block(3, start=100.0), _block(4, start=-5.0))
    deliver(_block(2), _block(5, start=50.0), _block(6, system="candidate"))
    found = {(t.stage, t.system): t.tally for t in ledger.tallies("mood", 1)}
    assert list(found) == [(0, "candidate"), (0, "pair"), (1, "pair")]
    sums = found[0, "pair"]
    assert (sums.n, sums.bad, sums.total, sums.total_squares) == (30, 5, 4.5, 6.75)
    assert sums.sketch == {-3: 12, 12: 18}
    assert ledger.tallies("mood", 2) == []
    with pytest.raises(InputError):
        ledger.tallies("nobody", 1)


@pytest.mark.req("O3")
def test_concurrent_deliveries_lose_no_sum(ledger: Ledger) -> None:
    """Collectors at the same time add up to what was delivered."""
    begin_migration(ledger)

    def deliver(number: int) -> None:
        batch = [_block(number), _block(1000 + number % 3)]
        ledger.ingest("mood", batch, "1-0", _count, part=lambda document, block: (1, 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, range(12)))
    (found,) = ledger.tallies("mood", 1)
    assert found.tally.n == 150

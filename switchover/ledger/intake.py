"""What a ledger takes in as blocks, and how it spreads them over time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from switchover.errors import InputError
from switchover.judge.block import Block, Tally
from switchover.ports import Part


def check_blocks(migration: str, blocks: Sequence[Block]) -> None:
    """Raise ``InputError`` for a block of another migration, or with a sum that is no number."""
    for block in blocks:
        if block.migration != migration:
            raise InputError(f"block {block.id} belongs to {block.migration}, not to {migration}")
        sums = (block.start, block.seconds, block.total, block.total_squares)
        if not all(map(math.isfinite, sums)):
            raise InputError(f"block {block.id} of {block.metric} holds a sum that is not finite")


def by_part(
    document: dict[str, Any], blocks: Sequence[Block], part: Part | None
) -> dict[tuple[int, int, str, str], Tally]:
    """The sums of ``blocks`` by attempt, stage, metric and system."""
    sums: dict[tuple[int, int, str, str], Tally] = {}
    for block in blocks if part is not None else ():
        place = part(document, block) if block.n and part is not None else None
        if place is not None:
            sums.setdefault((*place, block.metric, block.system), Tally()).add(block)
    return sums


def intervals(low: float, high: float, bins: int) -> tuple[int, int]:
    """The first millisecond and the width of ``bins`` equal intervals from low to high."""
    if bins < 1:
        raise InputError(f"{bins} intervals can't be drawn; ask for at least one")
    first, last = math.floor(low * 1000), math.ceil(high * 1000)
    return first, -(-(last - first + 1) // bins)

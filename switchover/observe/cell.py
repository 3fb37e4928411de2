"""What a recorder counts of one metric and system between two shipments."""

from __future__ import annotations

from math import isfinite

from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of


class Cell:
    """Counts in the making; the recorder's lock guards it."""

    __slots__ = ("bad", "epoch", "n", "sketch", "total", "total_squares")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.n = self.bad = 0
        self.total = self.total_squares = 0.0
        self.sketch: dict[int, int] = {}

    def measure(self, value: float) -> None:
        """Count one measured value; one that is not finite counts, above every limit."""
        self.n += 1
        bucket = bucket_of(value)
        self.sketch[bucket] = self.sketch.get(bucket, 0) + 1
        if isfinite(value):
            self.total += value
            self.total_squares += value * value

    def block(
        self, block_id: str, migration: str, metric: str, system: str, start: float, seconds: float
    ) -> Block:
        """The counts as a block."""
        return Block(
            id=block_id,
            migration=migration,
            metric=metric,
            system=system,
            start=start,
            seconds=seconds,
            n=self.n,
            bad=self.bad,
            # The square of a large number may overflow to infinity, which JSON can't carry.
            total=self.total if isfinite(self.total) else 0.0,
            total_squares=self.total_squares if isfinite(self.total_squares) else 0.0,
            sketch=self.sketch,
            epoch=self.epoch,
        )

"""What a recorder counts of one metric and system between two shipments."""

from __future__ import annotations

from collections import Counter
from math import ceil, isfinite, log

from switchover.judge.block import Block
from switchover.judge.sketch import SCALE, bucket_of

#: So many failures one after another are told at once.
STREAK = 3
#: So many values wait to be put into the sketch together, at a quarter of the cost.
BATCH = 500


class Cell:
    """Counts in the making; the recorder's lock guards it until it is shipped."""

    __slots__ = (
        "bad",
        "epoch",
        "good",
        "n",
        "sketch",
        "streak",
        "total",
        "total_squares",
        "values",
    )

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.n = self.bad = 0
        #: The latest failures without a good one between them, and the good ones before these.
        self.streak = self.good = 0
        self.total = self.total_squares = 0.0
        self.sketch: Counter[int] = Counter()
        self.values: list[float] = []

    def failing(self) -> bool:
        """Whether the latest observations, of which the last is bad, are a streak of bad ones.

        Asked at bad ones only, so that good ones cost nothing.
        """
        good = self.n - self.bad
        self.streak = self.streak + 1 if good == self.good else 1
        self.good = good
        return self.streak >= STREAK

    def sort(self) -> None:
        """Bring the waiting values into the sketch and the sums.

        One that is not finite counts above every limit, and in no sum.
        """
        values, self.values = self.values, []
        self.n += len(values)
        try:
            buckets = [ceil(log(value) * SCALE) for value in values]
            total, squares = sum(values), sum([value * value for value in values])
        except (ValueError, OverflowError):
            # Some are not above zero, or not finite.
            buckets = [bucket_of(value) for value in values]
            finite = [value for value in values if isfinite(value)]
            total, squares = sum(finite), sum([value * value for value in finite])
        self.total += total
        self.total_squares += squares
        self.sketch.update(buckets)

    def block(
        self, migration: str, metric: str, system: str, start: float, seconds: float
    ) -> Block:
        """The counts as a block, which has no id yet."""
        if self.values:
            self.sort()
        return Block(
            id="",
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

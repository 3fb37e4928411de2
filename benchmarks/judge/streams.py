"""What one simulated rollout lets its judges see, minute by minute.

Every rule judges the same stream: ours as the tallies that the recorder would have shipped, the
others as what their metric source would answer: a rate, a p99 or a mean for each window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from switchover.judge.block import Look, Tally
from switchover.judge.sketch import GAMMA, value_of

METRIC = "seen"
Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Observations of one system from the start up to each minute: number, mean, variance."""

    n: Numbers
    mean: Numbers
    variance: Numbers


class Stream(Protocol):
    """A day of both systems."""

    def looks(self) -> Iterator[Look | None]:
        """What each minute brings; None for a minute without any observation."""

    def windows(self, minutes: int) -> tuple[Numbers, Numbers]:
        """The metric of candidate and legacy in each window; not-a-number without data."""

    def moments(self) -> tuple[Moments, Moments]:
        """Of candidate and legacy, for rules that compare means."""


@dataclass(frozen=True, slots=True)
class Rates:
    """A yes/no metric of both systems."""

    candidate_n: Counts
    candidate_bad: Counts
    legacy_n: Counts
    legacy_bad: Counts

    def looks(self) -> Iterator[Look | None]:
        rows = zip(
            self.candidate_n.tolist(),
            self.candidate_bad.tolist(),
            self.legacy_n.tolist(),
            self.legacy_bad.tolist(),
            strict=True,
        )
        for ours, our_bad, theirs, their_bad in rows:
            systems = {}
            if ours:
                systems["candidate"] = Tally(ours, our_bad)
            if theirs:
                systems["legacy"] = Tally(theirs, their_bad)
            yield {METRIC: systems} if systems else None

    def windows(self, minutes: int) -> tuple[Numbers, Numbers]:
        return (
            _ratio(_summed(self.candidate_bad, minutes), _summed(self.candidate_n, minutes)),
            _ratio(_summed(self.legacy_bad, minutes), _summed(self.legacy_n, minutes)),
        )

    def moments(self) -> tuple[Moments, Moments]:
        return _of_rate(self.candidate_n, self.candidate_bad), _of_rate(
            self.legacy_n, self.legacy_bad
        )


@dataclass(frozen=True, slots=True)
class Times:
    """Durations: counts per minute and bucket of the judge's sketch, from bucket ``first`` on."""

    candidate: Counts
    legacy: Counts
    first: int
    statistic: str = "p99"

    def looks(self) -> Iterator[Look | None]:
        values = self._values()
        for ours, theirs in zip(self.candidate, self.legacy, strict=True):
            systems = {}
            for name, counts in (("candidate", ours), ("legacy", theirs)):
                filled = np.flatnonzero(counts)
                if filled.size:
                    kept, seen, buckets = counts[filled], values[filled], filled + self.first
                    systems[name] = Tally(
                        n=int(kept.sum()),
                        total=float(kept @ seen),
                        total_squares=float(kept @ seen**2),
                        sketch=dict(zip(buckets.tolist(), kept.tolist(), strict=True)),
                    )
            yield {METRIC: systems} if systems else None

    def windows(self, minutes: int) -> tuple[Numbers, Numbers]:
        read = self._quantiles if self.statistic == "p99" else self._means
        return read(self.candidate, minutes), read(self.legacy, minutes)

    def moments(self) -> tuple[Moments, Moments]:
        return self._moments(self.candidate), self._moments(self.legacy)

    def _values(self) -> Numbers:
        return value_of(self.first) * GAMMA ** np.arange(self.candidate.shape[1])

    def _quantiles(self, counts: Counts, minutes: int) -> Numbers:
        whole = counts.reshape(-1, minutes, counts.shape[1]).sum(axis=1)
        n = whole.sum(axis=1)
        place = (np.cumsum(whole, axis=1) > 0.99 * n[:, None] - 1e-9).argmax(axis=1)
        return np.where(n > 0, self._values()[place], np.nan)

    def _means(self, counts: Counts, minutes: int) -> Numbers:
        whole = counts.reshape(-1, minutes, counts.shape[1]).sum(axis=1)
        return _ratio(whole @ self._values(), whole.sum(axis=1).astype(float))

    def _moments(self, counts: Counts) -> Moments:
        values = self._values()
        n = np.cumsum(counts.sum(axis=1)).astype(float)
        mean = _ratio(np.cumsum(counts @ values), n)
        squares = np.cumsum(counts @ values**2)
        return Moments(n, mean, _ratio(squares - n * mean**2, n - 1))


@dataclass(frozen=True, slots=True)
class Pairs:
    """A yes/no outcome of both systems on the same requests.

    ``n`` requests a minute, of which both failed ``both``, and only one ``ours`` or ``theirs``.
    """

    n: Counts
    both: Counts
    ours: Counts
    theirs: Counts

    def looks(self) -> Iterator[Look | None]:
        rows = zip(
            self.n.tolist(),
            (self.both + self.ours).tolist(),
            (self.ours - self.theirs).tolist(),
            (self.ours + self.theirs).tolist(),
            strict=True,
        )
        for n, bad, total, squares in rows:
            pair = Tally(n=n, bad=bad, total=float(total), total_squares=float(squares))
            yield {METRIC: {"pair": pair}} if n else None

    def windows(self, minutes: int) -> tuple[Numbers, Numbers]:
        return self._apart().windows(minutes)

    def moments(self) -> tuple[Moments, Moments]:
        return self._apart().moments()

    def _apart(self) -> Rates:
        """As other tools see them: two rates."""
        return Rates(self.n, self.both + self.ours, self.n, self.both + self.theirs)


@dataclass(frozen=True, slots=True)
class Gauges:
    """One reading a minute of a gauge of both systems."""

    candidate: Numbers
    legacy: Numbers

    def looks(self) -> Iterator[Look | None]:
        for ours, theirs in zip(self.candidate.tolist(), self.legacy.tolist(), strict=True):
            yield {
                METRIC: {
                    "candidate": Tally(n=1, total=ours, total_squares=ours * ours),
                    "legacy": Tally(n=1, total=theirs, total_squares=theirs * theirs),
                }
            }

    def windows(self, minutes: int) -> tuple[Numbers, Numbers]:
        return (
            self.candidate.reshape(-1, minutes).mean(axis=1),
            self.legacy.reshape(-1, minutes).mean(axis=1),
        )

    def moments(self) -> tuple[Moments, Moments]:
        return _of_values(self.candidate), _of_values(self.legacy)


def _summed(counts: Counts, minutes: int) -> Numbers:
    return counts.reshape(-1, minutes).sum(axis=1).astype(float)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _of_rate(n: Counts, bad: Counts) -> Moments:
    whole = np.cumsum(n).astype(float)
    rate = _ratio(np.cumsum(bad).astype(float), whole)
    return Moments(whole, rate, rate * (1.0 - rate))


def _of_values(values: Numbers) -> Moments:
    n = np.arange(1.0, len(values) + 1)
    mean = np.cumsum(values) / n
    return Moments(n, mean, _ratio(np.cumsum(values**2) - n * mean**2, n - 1))

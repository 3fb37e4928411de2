"""Counters that only grow, and start at 0 again with their process. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: The most counters of one question that are remembered.
MOST = 1000
#: How long one that is gone is remembered, in seconds.
REMEMBERED = 86_400.0

#: A series' last time and value, by the series' name.
Known = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Series:
    """One counter's samples ``(seconds, value)`` in order of time."""

    name: str
    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


@dataclass(slots=True)
class Growth:
    """How much each series grew, and what is to be remembered."""

    by_series: dict[str, float] = field(default_factory=dict)
    known: dict[str, list[float]] = field(default_factory=dict)

    @property
    def sum(self) -> float:
        """The growth of all series together."""
        return sum(self.by_series.values())


def growth(
    known: Known | None, found: Iterable[Series], until: float, since: float = 0.0
) -> Growth:
    """What was counted since ``known``, which is None at the first reading, and since ``since``.

    What a series counted before the first reading is not counted, all of one that appears later
    is: it was not there before. A value below the last one is that of a process that started
    again. Samples that were read before are passed over, late ones are not. Raises ``ValueError``
    for a value that no counter has, and for more series than can be remembered.
    """
    grown = Growth()
    for name, last in (known or {}).items():
        if until - last[0] <= REMEMBERED:
            grown.known[name] = list(last)
    for series in found:
        before = grown.known.get(series.name)
        total = 0.0
        for at, value in series.samples:
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"a counter reads {value}")
            if before is not None and at <= before[0]:
                continue
            if at >= since and (before or known is not None):
                total += step(before[1] if before else 0.0, value)
            before = [at, value]
        if before is not None:
            grown.known[series.name] = before
        grown.by_series[series.name] = total
    if len(grown.known) > MOST:
        raise ValueError(f"it has more than {MOST} series; select fewer")
    return grown


def named(labels: Mapping[str, str], without: str = "") -> str:
    """A short name of a series, from its labels."""
    text = json.dumps({key: labels[key] for key in sorted(labels) if key != without})
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def step(before: float, now: float) -> float:
    """How much a counter grew between two readings; one that fell began anew."""
    return now - before if now >= before else now


def whole(amount: float) -> int:
    """A count; raises ``ValueError`` for what is no number of events."""
    count = round(amount)
    if abs(amount - count) > 1e-6 * max(1.0, abs(amount)):
        raise ValueError(f"it grew by {amount:g}, which is no number of events")
    return count


def counts(total: float, bad: float) -> tuple[int, int]:
    """All events and the bad ones; raises ``ValueError`` when these are no part of those."""
    n, failed = whole(total), whole(bad)
    if failed > n:
        raise ValueError(f"bad counts {failed:,} and total {n:,}; bad is no part of total")
    return n, failed


def number(value: Any) -> float:
    """A finite number; raises ``ValueError`` for everything else, also for text and true."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a {type(value).__name__} where a number belongs")
    try:
        result = float(value)
    except OverflowError:
        result = float("inf")
    if not abs(result) < float("inf"):
        raise ValueError(f"{result} where a number belongs")
    return result

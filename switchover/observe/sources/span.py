"""Which time a reading is about, and how what it found becomes blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Any

from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.plan.sources import Feed
from switchover.ports import Mark, Reading

#: The longest time that is read at once, in seconds; after an outage it takes a few looks.
LONGEST = 1800.0


@dataclass(frozen=True, slots=True)
class Span:
    """The time ``[start, end)`` of a feed; nothing counts that was before ``since``. ``past``:
    there is newer time than this to be read."""

    migration: str
    source: str
    feed: Feed
    start: float
    end: float
    since: float
    memory: Any = None
    past: bool = False

    def block(self, system: str, n: int, bad: int = 0, **measured: Any) -> Block:
        """What was found of ``system``. Its id holds the beginning only: two readings from the
        same mark give one block, also when one of them looks further."""
        feed = self.feed
        return Block(
            id=f"{self.migration}/{self.source}/{feed.metric}/{system}/{feed.digest}/{self.start!r}",
            migration=self.migration,
            metric=feed.metric,
            system=system,
            start=self.start,
            seconds=self.end - self.start,
            n=n,
            bad=bad,
            **measured,
        )

    def values(self, system: str, values: Sequence[float]) -> Block:
        """The block of some measured values."""
        sketch: dict[int, int] = {}
        for value in values:
            bucket = bucket_of(value)
            sketch[bucket] = sketch.get(bucket, 0) + 1
        squares = fsum(value * value for value in values)
        if not isfinite(squares):
            raise unreadable(self.source, f"{self.feed.key}: a value is too large to be summed")
        return self.block(
            system, len(values), total=fsum(values), total_squares=squares, sketch=sketch
        )

    def reading(self, blocks: Sequence[Block], memory: Any = None) -> Reading:
        """What the span gave, with the mark at its end."""
        mark = Mark(self.end, self.feed.digest, memory)
        return Reading(self.feed.key, mark, tuple(blocks))

    def nothing(self) -> Reading:
        """Passed over: a time of which the source kept nothing, with newer time to look at."""
        return self.reading([self.block(system, 0) for system in self.feed.systems], self.memory)

    def failed(self, error: DependencyUnavailable | InputError) -> Reading:
        """Why it can't be read; the mark stays where it is."""
        detail = error.detail if isinstance(error, DependencyUnavailable) else str(error)
        return Reading(self.feed.key, error=" ".join(detail.split())[:500])


def due(
    migration: str,
    source: str,
    feeds: Sequence[Feed],
    marks: Mapping[str, Mark],
    *,
    since: float,
    until: float,
    every: float,
    history: bool = True,
) -> Iterator[Span]:
    """The spans that can be read now, each from its feed's mark. A mark of another question, or
    from before ``since``, is none. Without ``history`` the source tells of now only: the first
    reading is due at once, and none is cut short."""
    for feed in feeds:
        mark = marks.get(feed.key)
        if mark is not None and (mark.digest != feed.digest or mark.at < since):
            mark = None
        start = since if mark is None else mark.at
        end = round(min(until, start + LONGEST), 3) if history else until
        if end - start >= every or (mark is None and not history):
            memory = None if mark is None else mark.memory
            past = end < until - 1.0
            yield Span(migration, source, feed, start, end, since, memory, past)


def answered(
    spans: Iterable[Span],
    read: Callable[[Span], Reading],
    *,
    timeout: float,
    what: str,
    faults: tuple[type[Exception], ...] = (ValueError,),
) -> list[Reading]:
    """What ``read`` finds of each span, or why it can't. Of ``faults`` the words are told; all
    others that are no ``DependencyUnavailable`` or ``InputError`` are raised. ``what`` names what
    took too long once ``timeout`` seconds are over twice."""
    # One answer may take the whole timeout; many slow ones must not hold up a rollback.
    deadline = time.monotonic() + 2 * timeout
    readings = []
    for span in spans:
        try:
            if time.monotonic() > deadline:
                raise unreadable(span.source, f"the {what} before this one took too long")
            readings.append(read(span))
        except (DependencyUnavailable, InputError) as error:
            readings.append(span.failed(error))
        except faults as error:
            readings.append(span.failed(unreadable(span.source, str(error))))
    return readings


def unreadable(source: str, detail: str) -> DependencyUnavailable:
    """What a source raises when its answer is none."""
    return DependencyUnavailable(f"source {source}", detail)

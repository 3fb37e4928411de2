"""Where observations come from: the recorders' stream, and other sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.judge.sample import Sample
from switchover.machine.inbox import Inbox


class BlockStream(Protocol):
    """The blocks that recorders shipped."""

    def read(self, migration: str, after: str, limit: int) -> tuple[list[Block], str, int]:
        """Blocks after the cursor, the new cursor, and how many entries were malformed."""

    def trim(self, migration: str, upto: str) -> None:
        """Forget blocks that are safely in the ledger's database."""

    def discard(self, migration: str, age: float) -> None:
        """Forget blocks that came more than ``age`` seconds ago, collected or not."""

    def heartbeats(self, migration: str) -> list[Heartbeat]:
        """The last word of every recorder. Blocks that it counts as shipped are in the stream
        by now, or lost."""

    def inboxes(self, migrations: Sequence[str]) -> dict[str, Inbox]:
        """What waits of many, in one look; entries that were collected and not yet trimmed count
        as waiting."""

    def forget(self, migration: str, heartbeats: Iterable[Heartbeat]) -> None:
        """Drop these heartbeats, unless their recorders have said something else since."""

    def read_mismatches(self, migration: str) -> tuple[list[Sample], str]:
        """The sampled disagreements that were not trimmed yet, and the cursor after them: empty
        where there was nothing."""

    def trim_mismatches(self, migration: str, upto: str) -> None:
        """Forget samples that are safely in the ledger's database."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a feed of a source is read: everything before ``at`` (seconds since the Unix
    epoch) is in the ledger. The next reading continues from ``memory``, which is plain JSON;
    ``digest`` tells whether it still answers the same question."""

    at: float
    digest: str
    memory: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one feed of a source gave: blocks and the mark after them, or why it can't be read.

    A block's id is made of the mark before it, so that each mark is continued once, whatever
    crashes or runs twice. A first reading may give a mark alone.
    """

    feed: str
    mark: Mark | None = None
    blocks: tuple[Block, ...] = ()
    error: str = ""


class MetricSource(Protocol):
    """Where metrics come from besides the recorder (O6)."""

    @property
    def name(self) -> str:
        """Its name in the plan."""

    def read(self, marks: Mapping[str, Mark], *, since: float, now: float) -> list[Reading]:
        """Read every feed that is due on from its mark in ``marks``; one without a mark begins
        at ``since``. What can't be read is a reading with an ``error``, never a wrong number."""

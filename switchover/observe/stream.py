"""The stream of blocks in Redis: recorders append, the engine reads after its cursor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from switchover.connection import open_client, reaching_redis, redis_key, text
from switchover.judge.block import Block

#: About how many blocks and exactly how many mismatches are kept per migration.
BLOCKS_KEPT = 1_000_000
MISMATCHES_KEPT = 1000

#: Where reading starts: before the first entry.
BEGINNING = "0-0"


def readable_block(payload: str, migration: str) -> Block | None:
    """The block in ``payload``; ``None`` when it is malformed or of another migration."""
    try:
        block = Block.from_json(payload)
        counts = (block.n, block.bad, block.epoch, *block.sketch.values())
        numbers = (block.start, block.seconds, block.total, block.total_squares)
        sound = (
            block.migration == migration
            and all(type(count) is int and count >= 0 for count in counts)
            and all(isinstance(part, str) for part in (block.id, block.metric))
            and all(math.isfinite(number) for number in numbers)
        )
    except (ValueError, TypeError):
        return None
    return block if sound else None


def entry_number(entry: str) -> tuple[int, int]:
    """A stream id ``milliseconds-sequence`` as numbers that compare; empty is the beginning."""
    milliseconds, _, sequence = (entry or BEGINNING).partition("-")
    return int(milliseconds), int(sequence or 0)


class RedisBlockStream:
    """Blocks and sampled mismatches of any migration, in Redis or Valkey.

    ``address`` is a URL or a ready client. Every method raises ``DependencyUnavailable``
    when Redis can't be reached.
    """

    def __init__(self, address: Any) -> None:
        self._address = address
        self._opened: Any = None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = open_client(self._address)
        return self._opened

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        """Add blocks, as JSON. After an error some may have arrived: send all again."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for payload in payloads:
                pipeline.xadd(
                    redis_key(migration, "blocks"),
                    {"b": payload},
                    maxlen=BLOCKS_KEPT,
                    approximate=True,
                )
            pipeline.execute()

    def append_mismatches(self, migration: str, payloads: Iterable[str]) -> None:
        """Add samples of disagreement, as JSON; the newest thousand are kept."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for payload in payloads:
                pipeline.xadd(
                    redis_key(migration, "mismatches"),
                    {"m": payload},
                    maxlen=MISMATCHES_KEPT,
                    approximate=False,
                )
            pipeline.execute()

    def read(self, migration: str, after: str, limit: int) -> tuple[list[Block], str, int]:
        """Up to ``limit`` entries after the cursor: blocks, new cursor, malformed entries.

        Malformed entries are counted and passed over. Where Redis lost its data, the cursor
        lies beyond everything it ever gave out, and reading starts at the beginning again:
        a block that comes twice is known by its id.
        """
        stream = redis_key(migration, "blocks")
        with reaching_redis(self._address):
            if not self._client.exists(stream):
                return [], BEGINNING, 0
            given_out = text(self._client.xinfo_stream(stream)["last-generated-id"])
            if entry_number(after) > entry_number(given_out):
                after = BEGINNING
            entries = self._client.xrange(stream, min=f"({after or BEGINNING}", count=limit)
        blocks, malformed = [], 0
        for _, fields in entries:
            payload = fields.get(b"b", fields.get("b"))
            block = None if payload is None else readable_block(text(payload), migration)
            if block is None:
                malformed += 1
            else:
                blocks.append(block)
        cursor = text(entries[-1][0]) if entries else after or BEGINNING
        return blocks, cursor, malformed

    def trim(self, migration: str, upto: str) -> None:
        """Forget every entry up to and including the cursor ``upto``."""
        milliseconds, sequence = entry_number(upto)
        with reaching_redis(self._address):
            self._client.xtrim(
                redis_key(migration, "blocks"),
                minid=f"{milliseconds}-{sequence + 1}",
                approximate=False,
            )

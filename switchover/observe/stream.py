"""The stream of blocks in Redis: recorders append, the engine reads after its cursor."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from switchover.connection import OnRedis, reaching_redis, redis_key, text
from switchover.judge.block import Block
from switchover.judge.heartbeat import Heartbeat
from switchover.machine.inbox import Inbox

if TYPE_CHECKING:
    from switchover.judge.sample import Sample

_log = logging.getLogger("switchover.stream")

#: About how many blocks and exactly how many mismatches are kept per migration.
BLOCKS_KEPT = 1_000_000
MISMATCHES_KEPT = 1000

#: Heartbeats that nobody collects are forgotten so many seconds after the last one.
HEARTBEATS_KEPT = 604_800

#: Stamped with the time of Redis: clocks of different hosts need not agree.
_SAY = """
redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""

_FORGET = """
local said = redis.call('HGET', KEYS[1], ARGV[1])
if said and string.match(said, '^%d+ (.*)$') == ARGV[2] then
    redis.call('HDEL', KEYS[1], ARGV[1])
end
"""

#: Where reading starts: before the first entry.
BEGINNING = "0-0"


def readable_block(payload: str, migration: str) -> Block | None:
    """The block in ``payload``; ``None`` when it is malformed or of another migration."""
    try:
        block = Block.from_json(payload)
        counts = (block.n, block.bad, block.epoch, block.upto, *block.sketch.values())
        numbers = (block.start, block.seconds, block.total, block.total_squares)
        sound = (
            block.migration == migration
            and all(type(count) is int and count >= 0 for count in counts)
            and all(isinstance(part, str) for part in (block.id, block.metric, block.recorder))
            and all(math.isfinite(number) for number in numbers)
        )
    except (ValueError, TypeError):
        return None
    return block if sound else None


def readable_sample(payload: str) -> Sample | None:
    """The sample in ``payload``; ``None`` when it is malformed."""
    from switchover.judge.sample import Sample

    try:
        return Sample.from_json(payload)
    except ValueError:
        return None


def entry_number(entry: str) -> tuple[int, int]:
    """A stream id ``milliseconds-sequence`` as numbers that compare; empty is the beginning."""
    milliseconds, _, sequence = (entry or BEGINNING).partition("-")
    return int(milliseconds), int(sequence or 0)


def heard(said: Iterable[str], now: float) -> list[Heartbeat]:
    """Heartbeats as they are stored: the second they were said, and what."""
    found = []
    for line in said:
        second, _, payload = line.partition(" ")
        # What a foreign program left there says nothing of a recorder.
        with suppress(ValueError):
            found.append(Heartbeat.from_json(payload, max(0.0, now - float(second))))
    return found


class RedisBlockStream(OnRedis):
    """Blocks and sampled mismatches of any migration, in Redis or Valkey.

    ``address`` is a URL or a ready client. Every method raises ``DependencyUnavailable``
    when Redis can't be reached.
    """

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

    def say(self, migration: str, heartbeat: Heartbeat) -> None:
        """Leave a recorder's heartbeat in place of its last one."""
        with reaching_redis(self._address):
            self._client.eval(
                _SAY,
                1,
                redis_key(migration, "recorders"),
                heartbeat.recorder,
                heartbeat.to_json(),
                HEARTBEATS_KEPT,
            )

    def heartbeats(self, migration: str) -> list[Heartbeat]:
        """The last word of every recorder that was not forgotten; unreadable ones are left out."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hgetall(redis_key(migration, "recorders"))
            pipeline.time()
            said, (now, _) = pipeline.execute()
        return heard((text(value) for value in said.values()), float(now))

    def inboxes(self, migrations: Sequence[str]) -> dict[str, Inbox]:
        """What waits of many, in one round trip."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for migration in migrations:
                pipeline.xlen(redis_key(migration, "blocks"))
                pipeline.xlen(redis_key(migration, "mismatches"))
                pipeline.hgetall(redis_key(migration, "recorders"))
            pipeline.time()
            *answers, (now, _) = pipeline.execute()
        parts = zip(migrations, answers[::3], answers[1::3], answers[2::3], strict=True)
        return {
            migration: Inbox(
                blocks, samples, tuple(heard((text(each) for each in said.values()), float(now)))
            )
            for migration, blocks, samples, said in parts
        }

    def forget(self, migration: str, heartbeats: Iterable[Heartbeat]) -> None:
        """Drop these heartbeats, unless their recorders have said something else since."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for heartbeat in heartbeats:
                key = redis_key(migration, "recorders")
                pipeline.eval(_FORGET, 1, key, heartbeat.recorder, heartbeat.to_json())
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
        self._trim(redis_key(migration, "blocks"), upto)

    def read_mismatches(self, migration: str) -> tuple[list[Sample], str]:
        """All samples that were not trimmed yet, and the cursor after them: empty without any."""
        with reaching_redis(self._address):
            entries = self._client.xrange(redis_key(migration, "mismatches"), count=MISMATCHES_KEPT)
        payloads = (fields.get(b"m", fields.get("m")) for _, fields in entries)
        found = [payload and readable_sample(text(payload)) for payload in payloads]
        samples = [sample for sample in found if sample]
        if len(samples) < len(found):
            _log.warning("%s: %d samples are malformed", migration, len(found) - len(samples))
        return samples, text(entries[-1][0]) if entries else ""

    def trim_mismatches(self, migration: str, upto: str) -> None:
        """Forget every sample up to and including the cursor ``upto``."""
        self._trim(redis_key(migration, "mismatches"), upto)

    def _trim(self, stream: str, upto: str) -> None:
        milliseconds, sequence = entry_number(upto)
        with reaching_redis(self._address):
            self._client.xtrim(stream, minid=f"{milliseconds}-{sequence + 1}", approximate=False)

    def discard(self, migration: str, age: float) -> None:
        """Forget every entry that came more than ``age`` seconds ago, collected or not."""
        with reaching_redis(self._address):
            oldest = self._client.time()[0] - age
            self._client.xtrim(
                redis_key(migration, "blocks"), minid=f"{int(oldest * 1000)}-0", approximate=False
            )

"""Guards' beats in Redis: one hash, stamped with its time, that forgets who fell silent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from switchover.connection import OnRedis, reaching_redis, text
from switchover.ports.guards import GuardBeat

KEY = "switchover:guards"
#: A guard that has missed so many sweeps, and for so many seconds at least, is not alive.
MISSED, SILENT = 5.0, 10.0
#: Seconds after which a beat is dropped.
_KEPT = 60

_SAY = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
    if ms - (tonumber(string.match(known[i + 1], '^%d+')) or 0) > ARGV[3] * 1000 then
        redis.call('HDEL', KEYS[1], known[i])
    end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ms) .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


class RedisGuards(OnRedis):
    """Implements :class:`switchover.ports.guards.Guards`."""

    def __init__(self, address: Any, wanted: int = 0) -> None:
        super().__init__(address)
        self.wanted = wanted

    def say(self, beat: GuardBeat) -> None:
        """Leave a guard's beat, and drop those of guards that ended without a word."""
        said = [beat.every, beat.took, beat.migrations, list(beat.names), beat.trouble]
        kept = max(_KEPT, round(2 * MISSED * beat.every))
        with reaching_redis(self._address):
            self._client.eval(_SAY, 1, KEY, beat.guard, json.dumps(said), kept)

    def leave(self, guard: str) -> None:
        """Take a guard's beat away."""
        with reaching_redis(self._address):
            self._client.hdel(KEY, guard)

    def alive(self) -> Sequence[GuardBeat]:
        """Who spoke lately; what a foreign program left there is passed over."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hgetall(KEY)
            pipeline.time()
            said, (seconds, micros) = pipeline.execute()
        now, found = seconds + micros / 1e6, []
        for name, value in said.items():
            stamp, _, document = text(value).partition(" ")
            with suppress(ValueError, TypeError):
                every, took, migrations, names, trouble = json.loads(document)
                age = max(0.0, now - int(stamp) / 1000)
                if age <= max(SILENT, MISSED * every):
                    found.append(
                        GuardBeat(text(name), every, took, migrations, tuple(names), trouble, age)
                    )
        return sorted(found, key=lambda beat: beat.guard)

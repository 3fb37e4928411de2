"""What drills keep in Redis, and the list of them by which what died is found again."""

from __future__ import annotations

import time

from switchover.connection import OnRedis, reaching_redis, redis_key, text


class DrillKeys(OnRedis):
    """The keys of synthetic migrations, each listed before its first one is written."""

    def enter(self, migration: str, slug: str, until: float) -> None:
        """Say that ``slug`` is about to have keys; after ``until`` (seconds since the Unix epoch)
        nobody needs them."""
        with reaching_redis(self._address):
            self._client.zadd(redis_key(migration, "drills"), {slug: until})

    def remove(self, migration: str, slug: str) -> None:
        """Remove every key of ``slug``, and then its name from the list."""
        with reaching_redis(self._address):
            for key in self._client.scan_iter(match=redis_key(slug, "*"), count=1000):
                self._client.delete(key)
            self._client.zrem(redis_key(migration, "drills"), slug)

    def overdue(self, migration: str) -> list[str]:
        """Those that were cut off."""
        with reaching_redis(self._address):
            found = self._client.zrangebyscore(
                redis_key(migration, "drills"), "-inf", f"({time.time()}"
            )
        return [text(slug) for slug in found]

"""What Redis knows of work items between two looks: claims in force, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchover.canonical import canonical, parse
from switchover.connection import open_client, reaching_redis, redis_address, redis_key, text
from switchover.ports import ItemKey
from switchover.routing.claim_state import SLOTS, is_held

_FIELDS = [f"{slot}.{name}" for slot in SLOTS for name in ("status", "until")]


class RedisItemTracker:
    """Reads what :class:`switchover.routing.claims.Claims` writes: an item's claim is found by
    its key, as text. Implements :class:`switchover.ports.ItemTracker`."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._given, self._client = redis_url, None

    def _redis(self) -> Any:
        if self._client is None:
            self._client = open_client(redis_address(self._given))
        return self._client

    def in_flight(self, migration: str, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Those of ``keys`` that somebody serves or shadows now, by the time of Redis."""
        if not keys:
            return frozenset()
        with reaching_redis(self._given):
            pipeline = self._redis().pipeline(transaction=False)
            pipeline.time()
            for key in keys:
                pipeline.hmget(redis_key(migration, f"item:{key}"), _FIELDS)
            (seconds, micros), *answers = pipeline.execute()
        now = seconds * 1000 + micros // 1000
        return frozenset(
            key for key, values in zip(keys, answers, strict=True) if _held(values, now)
        )

    def recall(self, migration: str) -> dict[str, Any] | None:
        """What was remembered last."""
        with reaching_redis(self._given):
            stored = self._redis().get(redis_key(migration, "items"))
        return None if stored is None else dict(parse(text(stored)))

    def remember(self, migration: str, document: dict[str, Any], seconds: float) -> None:
        """Keep ``document`` for so many seconds."""
        milliseconds = max(1, round(seconds * 1000))
        with reaching_redis(self._given):
            self._redis().set(redis_key(migration, "items"), canonical(document), px=milliseconds)


def _held(values: Sequence[Any], now: int) -> bool:
    known = {field: text(value) for field, value in zip(_FIELDS, values, strict=True) if value}
    return any(is_held(known, slot, now) for slot in SLOTS)

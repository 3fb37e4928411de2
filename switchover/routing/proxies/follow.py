"""Keep a proxy in step with the routing document in Redis, wherever the proxy runs.

A follower stands beside the proxy (its runtime socket or files need be nobody else's), knows
only Redis, and so takes an emergency rollback on with Prefect, SQL and Slack down. It is to
its proxy what a router is to its application: it acknowledges what the proxy follows, and
sends everything to legacy when Redis is silent for too long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from switchover.connection import redis_address
from switchover.errors import InputError
from switchover.machine.propagation import follower_id
from switchover.ports import TrafficSplit
from switchover.routing.held import HeldDocument
from switchover.routing.proxies.bring import Bringer, Told, log
from switchover.routing.reader import Reader


class Follower:
    """Brings every new document of ``migration`` to ``split``, and the last one again every
    ``mend_every`` seconds, for a proxy that was reloaded.

    ``redis_url`` is a URL or a ready client, by default ``SWITCHOVER_REDIS_URL``. After
    ``max_staleness`` seconds in which no valid document could be confirmed, the proxy goes to
    legacy, until Redis is back. Every change goes to ``tell``.
    """

    def __init__(
        self, split: TrafficSplit, migration: str, redis_url: Any = None, *,
        max_staleness: float = 30.0, mend_every: float = 10.0,
        tell: Callable[[Told], None] = log,
    ) -> None:  # fmt: skip
        if max_staleness <= 0:
            raise InputError(f"max_staleness is {max_staleness}; give a number of seconds above 0")
        ready_client = redis_url is not None and not isinstance(redis_url, str)
        address = redis_url if ready_client else redis_address(redis_url)
        self._max_staleness = max_staleness
        self._bringer = Bringer(split, max_staleness, mend_every, tell)
        self._lock = threading.Lock()
        self._held = HeldDocument(migration, lambda table, flags, change: None)
        self.id = follower_id(split.name)
        self._stop = threading.Event()
        self._reader = Reader(migration, address, self.id, max_staleness, self.take)
        self._watch = threading.Thread(
            target=self._keep, name=f"switchover-follow-{migration}", daemon=True
        )

    def __enter__(self) -> Self:
        self._held.renew()
        self._reader.start()
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop and sign off. The proxy keeps its split, so that a follower can be restarted."""
        self._stop.set()
        self._reader.stop()
        self._watch.join(timeout=3.0)

    def take(self, document: str | None) -> tuple[int, float]:
        """Judge what Redis holds, as a router does, and bring it to the proxy; gives the epoch
        that the proxy follows, and since when."""
        self._held.take(document)
        return self._bring()

    def keep(self) -> None:
        """Look whether the document is still confirmed, and mend or try again what is due."""
        self._held.expire(self._max_staleness)
        self._bring()

    def _keep(self) -> None:
        """A thread of its own, so that a reader stuck in the network can't delay it."""
        while not self._stop.wait(min(self._max_staleness / 10, 1.0)):
            self.keep()

    @property
    def epoch(self) -> int:
        """The epoch of the document that the proxy follows, 0 before the first."""
        return self._bringer.epoch

    @property
    def fault(self) -> str:
        """What went wrong last; empty while all is well."""
        return self._bringer.fault

    def _bring(self) -> tuple[int, float]:
        with self._lock:
            reason, aim = self._held.fallen_back, self._held.snapshot
            if reason:
                self._bringer.bring(None, reason)
            elif aim is not None:
                self._bringer.bring(aim)
            elif self._held.ready.is_set():
                self._bringer.bring(None, "cold_start")
            return self._bringer.epoch, self._bringer.since

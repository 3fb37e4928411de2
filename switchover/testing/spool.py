"""An in-memory stand-in for the spool, with the same contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from switchover.ports import Order


class InMemorySpool:
    """A spool in one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, Order] = {}
        self._claimed: set[str] = set()

    def put(self, order: Order) -> str:
        """Keep it."""
        with self._lock:
            self._orders[order.halt.id] = order
        return "memory"

    def orders(self, migration: str = "") -> list[Order]:
        """Orders that wait, the oldest first."""
        with self._lock:
            found = sorted(self._orders.values(), key=lambda order: order.halt.at)
        return [order for order in found if migration in ("", order.migration)]

    @contextmanager
    def claim(self, order: Order) -> Iterator[bool]:
        """Whether the caller may carry it out."""
        name = order.halt.id
        with self._lock:
            mine = name in self._orders and name not in self._claimed
            if mine:
                self._claimed.add(name)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._claimed.discard(name)

    def remove(self, order: Order) -> None:
        """Forget it."""
        with self._lock:
            self._orders.pop(order.halt.id, None)

    def unreadable(self) -> list[str]:
        """Nothing: no disk is involved."""
        return []

"""How often an address may ask: token buckets in memory, bounded in number."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

#: Addresses remembered; beyond it the one that was quiet longest is forgotten.
_ADDRESSES = 10_000


class RateLimit:
    """``most`` at once, and one more every ``60 / per_minute`` seconds, for each address."""

    def __init__(
        self, most: int, per_minute: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._pace, self._now = float(most), per_minute / 60, now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> float:
        """Take one; 0 when there was one, else the seconds until there is."""
        address = _neighbourhood(address)
        with self._lock:
            left = self._left(address)
            if left < 1:
                return (1 - left) / self._pace
            self._keep(address, left - 1)
            return 0.0

    def wait(self, address: str) -> float:
        """The seconds until one can be taken, without taking it."""
        with self._lock:
            return max(0.0, (1 - self._left(_neighbourhood(address))) / self._pace)

    def _left(self, address: str) -> float:
        left, at = self._buckets.get(address, (self._most, self._now()))
        return min(self._most, left + (self._now() - at) * self._pace)

    def _keep(self, address: str, left: float) -> None:
        self._buckets[address] = (left, self._now())
        self._buckets.move_to_end(address)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)


def _neighbourhood(address: str) -> str:
    """What one caller has at their disposal: an address, or an IPv6 network of 64 bits."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or found.exploded[:19])

"""Weighted rendezvous hashing: which of several variants a key gets. Pure.

Each variant draws an exponential variate from the key, divided by its weight; the smallest
wins. A variant wins with probability ``weight / sum``, and a change of the weights moves only
keys that the grown ones gain (Schindelhauer and Schomaker, "Weighted distributed hash tables",
SPAA 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import TypeVar

from xxhash import xxh3_64_intdigest

T = TypeVar("T")

#: The upper 52 bits of a digest are used: with one half added they are exact as a float,
#: and never 0 or 1.
_UNUSED, _RANGE = 12, 2.0**52


def winner(places: Sequence[tuple[bytes, float, T]], key: bytes) -> T:
    """The item of the winning ``(prefix, weight, item)``; weights are positive."""
    best, found = float("inf"), places[0][2]
    for prefix, weight, item in places:
        uniform = ((xxh3_64_intdigest(prefix + key) >> _UNUSED) + 0.5) / _RANGE
        drawn = -log(uniform) / weight
        if drawn < best:
            best, found = drawn, item
    return found

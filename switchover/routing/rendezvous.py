"""Weighted rendezvous hashing: which of several variants a key gets. Pure.

Each variant draws an exponential variate from the key, divided by its weight; the smallest
wins. A variant wins with probability ``weight / sum``, and a change of the weights moves only
keys that the grown ones gain (Schindelhauer and Schomaker, "Weighted distributed hash tables",
SPAA 2005).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import TypeVar

from xxhash import xxh3_64_intdigest

T = TypeVar("T")

#: ``(prefix, pace, item)``; the pace is -1 / weight, so that drawing costs no division.
Place = tuple[bytes, float, T]

_UNIT = 2.0**-64


def places(weighted: Iterable[tuple[bytes, float, T]]) -> tuple[Place[T], ...]:
    """What :func:`winner` draws for, from ``(prefix, weight, item)``; weights are positive."""
    return tuple((prefix, -1 / weight, item) for prefix, weight, item in weighted)


def winner(drawing: Sequence[Place[T]], key: bytes) -> T:
    """The item that ``key`` gets."""
    best, found = float("inf"), drawing[0][2]
    for prefix, pace, item in drawing:
        # One half added: the logarithm of 0 is never asked for.
        drawn = log((xxh3_64_intdigest(prefix + key) + 0.5) * _UNIT) * pace
        if drawn < best:
            best, found = drawn, item
    return found

"""A log-bucket sketch: how often a value fell into each bucket of 2 % width.

Bucket ``i`` holds the values in ``(1.02**(i-1), 1.02**i]`` and stands for their midpoint,
so that every value read back is within 1 % of the one put in (Masson, Rim and Lee,
"DDSketch", VLDB 2019). A sketch is a plain mapping of bucket to count; sketches merge by adding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, inf, log

GAMMA = 1.02
#: Zero and negative values: a timer or a gauge that reads so is counted as the least value.
LOWEST = -40_000
#: Infinity and not-a-number: unreadable is never taken for good, so it lies above every limit.
HIGHEST = 40_000

SCALE = 1.0 / log(GAMMA)
_MIDPOINT = 2.0 / (1.0 + GAMMA)


def bucket_of(value: float) -> int:
    """The bucket that ``value`` falls into. On the recorder's hot path."""
    if value > 0.0:
        try:
            return ceil(log(value) * SCALE)
        except OverflowError:
            return HIGHEST
    return LOWEST if value <= 0.0 else HIGHEST


def value_of(bucket: int) -> float:
    """The midpoint of a bucket: within 1 % of every value in it."""
    if bucket <= LOWEST:
        return 0.0
    if bucket >= HIGHEST:
        return inf
    try:
        return float(_MIDPOINT * GAMMA**bucket)
    except OverflowError:
        return inf


def above(sketch: Mapping[int, int], limit: float) -> int:
    """How many observations lie above ``limit``, to a resolution of 1 %.

    The bucket that straddles the limit counts as a whole, by the side its midpoint is on.
    """
    return beyond(sketch, edge(limit))


def edge(limit: float) -> int:
    """The last bucket that counts as up to ``limit``."""
    last = bucket_of(limit)
    return last - 1 if value_of(last) > limit else last


def beyond(sketch: Mapping[int, int], last: int) -> int:
    """How many observations lie in buckets above ``last``."""
    # Most lie below: sifting the buckets alone is twice as fast as with their counts.
    return sum([sketch[bucket] for bucket in sketch if bucket > last])


def upper(sketch: Mapping[int, int], last: int) -> list[tuple[int, int]]:
    """The buckets above ``last`` with their counts."""
    return [(bucket, sketch[bucket]) for bucket in sketch if bucket > last]


def quantile_bucket(sketch: Mapping[int, int], q: float) -> int | None:
    """The bucket of :func:`quantile`."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"quantile {q} is outside 0 to 1; write the 99th percentile as 0.99")
    # From the top, as most quantiles asked for are high ones.
    left = (1.0 - q) * sum(sketch.values())
    found = None
    for bucket in sorted(sketch, reverse=True):
        if sketch[bucket] > 0:
            found = bucket
            left -= sketch[bucket]
            if left < 0:
                break
    return found


def quantile(sketch: Mapping[int, int], q: float) -> float | None:
    """The value that a fraction ``q`` of the observations does not exceed; None without any."""
    bucket = quantile_bucket(sketch, q)
    return None if bucket is None else value_of(bucket)


def merge(sketches: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The sketch of all observations together. Order does not matter."""
    rest = iter(sketches)
    merged = dict(next(rest, {}))
    for sketch in rest:
        for bucket, count in sketch.items():
            merged[bucket] = merged.get(bucket, 0) + count
    return merged

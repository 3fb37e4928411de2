"""The upper tail of a growing sketch: enough for one high quantile, at a tenth of the cost.

Kept as a plain mapping: ``seen`` values in all, of them those above bucket ``base`` in
``sketch``. The base is set by the first look, so that the tail holds four times what the
quantile needs and five values at least, and is lowered when later values fall below it. What lies
above ``sure``, the first base, has been counted from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from switchover.judge.sketch import beyond, quantile_bucket, upper, value_of

#: How much more than the quantile's own share the tail holds when it begins.
_ROOM = 4.0
#: A first look of few values would hardly tell where so small a share begins.
_VALUES = 5.0
#: A look with so many values beyond the quantile says much what the look before did. Then every
#: eighth is enough, and the tail is no longer what takes the time.
_PLENTY = 100.0
_EVERY = 8

#: The entries of a sketch that lie above the tail's base.
Part = list[tuple[int, int]]


def teaches(kept: Mapping[str, Any], n: int, allowed: float, look: int) -> bool:
    """Whether :func:`widen` should take in look number ``look`` with its ``n`` values."""
    return n * allowed < _PLENTY or look % _EVERY == 0 or not kept.get("seen")


def split(kept: Mapping[str, Any], fresh: Mapping[int, int], last: int) -> tuple[Part, int]:
    """What :func:`widen` needs of ``fresh``, and how many of it lie above ``last``."""
    base = kept.get("base", last)
    part = upper(fresh, base)
    if base > last:
        return part, beyond(fresh, last)
    return part, sum([count for bucket, count in part if bucket > last])


def widen(
    kept: Mapping[str, Any], fresh: Mapping[int, int], n: int, allowed: float, part: Part
) -> dict[str, Any]:
    """The tail with ``fresh`` (``n`` values) added; ``allowed`` is the share above the quantile."""
    sketch, seen = dict(kept.get("sketch", ())), kept.get("seen", 0)
    base = kept.get("base")
    least = allowed * n
    if base is None or (len(part) < least and sum([count for _, count in part]) < least):
        lower = quantile_bucket(fresh, max(0.0, 1.0 - max(_ROOM * allowed, _VALUES / n)))
        lower = 0 if lower is None else lower - 1
        if base is None or lower < base:
            hidden = seen - sum(sketch.values())
            if base is not None and hidden:
                # Where exactly they lie is not known any more: at most here.
                sketch[base] = sketch.get(base, 0) + hidden
            base, part = lower, upper(fresh, lower)
    counted = sketch.get
    for bucket, count in part:
        sketch[bucket] = counted(bucket, 0) + count
    return {"sketch": sketch, "seen": seen + n, "base": base, "sure": kept.get("sure", base)}


def halve(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Half the weight of everything so far, so that old times fade."""
    sketch = {bucket: count // 2 for bucket, count in kept["sketch"].items() if count > 1}
    return {**kept, "sketch": sketch, "seen": kept["seen"] // 2}


def tail_bucket(kept: Mapping[str, Any], q: float) -> int | None:
    """The bucket that a fraction ``q`` of the values does not exceed; None without any."""
    if not kept.get("seen"):
        return None
    sketch = kept["sketch"]
    left = (1.0 - q) * kept["seen"]
    for bucket in sorted(sketch, reverse=True):
        left -= sketch[bucket]
        if left < 0:
            return int(bucket)
    return int(kept["base"])


def sure_bucket(kept: Mapping[str, Any], q: float, z: float) -> int | None:
    """The highest bucket that surely lies below the ``q``-quantile; None as long as none is known.

    So many values lie above it that a share of 1 - q would be ``z`` standard errors away (the
    Wilson bound of the share above it is no less than 1 - q, put the other way round).
    """
    if not kept.get("seen"):
        return None
    sketch, n, sure = kept["sketch"], kept["seen"], kept.get("sure", kept["base"])
    left = n * (1.0 - q) + z * sqrt(n * q * (1.0 - q))
    for bucket in sorted(sketch, reverse=True):
        if bucket <= sure:
            break
        left -= sketch[bucket]
        if left <= 0.0:
            return int(bucket) - 1
    return None


def tail_quantile(kept: Mapping[str, Any], q: float) -> float | None:
    """The value of :func:`tail_bucket`, to the sketch's 1 %."""
    bucket = tail_bucket(kept, q)
    return None if bucket is None else value_of(bucket)

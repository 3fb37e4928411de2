"""From a histogram's buckets to the judge's sketch. Pure.

A bucket tells that its values lie in ``(lower, upper]`` and not where, so they are spread evenly
over it, as Prometheus' own ``histogram_quantile`` does. How many lie above a bound is exact; a
quantile is as exact as the bucket that it falls into is narrow. Values above the last bound
are above every limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Any

from switchover.judge.sketch import GAMMA, HIGHEST, bucket_of
from switchover.observe.sources.counters import MOST, REMEMBERED, Series, named, whole

#: The first bucket begins at 0, which no sketch reaches; its values are spread down to this part.
_DEEPEST = 1.0 / 128.0
#: By process: when it was read last, and its buckets then.
Known = Mapping[str, Any]
#: Bounds and limits that are closer than that are the same to a sketch.
_SAME = 0.01


@dataclass(frozen=True, slots=True)
class Grown:
    """Growth by upper bound, smaller buckets included, and what is to be remembered."""

    by_bound: dict[float, float]
    known: dict[str, Any]

    @property
    def counts(self) -> dict[float, int]:
        """The same in whole events."""
        return {bound: whole(amount) for bound, amount in self.by_bound.items()}


def grown(known: Known | None, found: Iterable[Series], until: float, since: float = 0.0) -> Grown:
    """How much each bucket of all processes grew since ``known``, None at the first reading.

    As :func:`switchover.observe.sources.counters.growth`, but a process restarts with all its
    buckets: if one of them fell, the others have only passed their old values already. Raises
    ``ValueError`` where processes have different buckets.
    """
    processes: dict[str, dict[float, dict[float, float]]] = {}
    bounds: set[float] = set()
    for series in found:
        if "le" not in series.labels:
            raise ValueError("a series has no label le; select the _bucket series")
        bound = float(series.labels["le"])
        bounds.add(bound)
        times = processes.setdefault(named(series.labels, without="le"), {})
        for at, value in series.samples:
            if not 0.0 <= value < inf:
                raise ValueError(f"a bucket reads {value}")
            times.setdefault(at, {})[bound] = value
    by_bound = dict.fromkeys(bounds, 0.0)
    kept = {name: last for name, last in (known or {}).items() if until - last[0] <= REMEMBERED}
    for name, times in processes.items():
        before = dict(_pairs(kept[name])) if name in kept else None
        read = kept[name][0] if name in kept else -inf
        for at in sorted(at for at in times if at > read):
            now = times[at]
            if set(now) != bounds:
                raise ValueError("the selected histograms have different buckets; select one")
            if before is None:
                before = now if known is None or at < since else dict.fromkeys(bounds, 0.0)
            began = set(before) != bounds or any(now[bound] < before[bound] for bound in bounds)
            for bound in bounds if at >= since else ():
                by_bound[bound] += now[bound] - (0.0 if began else before[bound])
            before, kept[name] = now, [at, [[str(b), v] for b, v in sorted(now.items())]]
    if len(kept) * max(1, len(bounds)) > MOST:
        raise ValueError(f"it has more than {MOST} buckets in all; select fewer")
    return Grown(by_bound, kept)


def _pairs(last: Any) -> Iterator[tuple[float, float]]:
    # JSON knows no infinity, so bounds are kept as text.
    return ((float(bound), value) for bound, value in last[1])


def decumulated(cumulative: Mapping[float, int]) -> list[tuple[float, int]]:
    """Bounds with the counts of their own buckets; raises ``ValueError`` for what is no
    histogram."""
    bounds = sorted(cumulative)
    if not bounds or not isinf(bounds[-1]) or len(bounds) < 2:
        raise ValueError('the histogram has no bucket le="+Inf", or no other')
    if bounds[0] <= 0.0:
        raise ValueError(f"the histogram has a bucket up to {bounds[0]:g}; measure from 0 on")
    counts = [cumulative[bound] for bound in bounds]
    own = [count - before for count, before in zip(counts, [0, *counts[:-1]], strict=True)]
    if min(own) < 0:
        raise ValueError("a bucket of the histogram counts less than a smaller one")
    return list(zip(bounds, own, strict=True))


def sketch_of(buckets: Sequence[tuple[float, int]]) -> dict[int, int]:
    """The sketch of what :func:`decumulated` gives."""
    sketch: dict[int, int] = {}
    lower = 0.0
    for upper, count in buckets:
        if count and isinf(upper):
            sketch[HIGHEST] = sketch.get(HIGHEST, 0) + count
        elif count:
            _spread(sketch, max(lower, upper * _DEEPEST), upper, count)
        lower = upper
    return sketch


def missing_bound(bounds: Sequence[float], limits: Iterable[float]) -> float | None:
    """The first limit that lies within a bucket, where nobody knows how many are above it."""
    for limit in limits:
        if not any(abs(bound - limit) <= _SAME * limit for bound in bounds if bound < inf):
            return limit
    return None


def _spread(sketch: dict[int, int], lower: float, upper: float, count: int) -> None:
    # Bounds are limits, and what shares a bucket with a limit decides nothing: keep off both.
    first, last = bucket_of(lower) + 1, bucket_of(upper) - 1
    first = min(first, last)
    done = 0
    for bucket in range(first, last + 1):
        reached = (min(GAMMA**bucket, upper) - lower) / (upper - lower)
        upto = count if bucket == last else min(count, max(done, int(count * reached + 0.5)))
        if upto > done:
            sketch[bucket] = sketch.get(bucket, 0) + upto - done
        done = upto

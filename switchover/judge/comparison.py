"""Both systems side by side: shares, means and quantiles, their difference and how sure it is.

For people, and used for no decision: gates decide. The interval of a difference joins those of
the two systems, each at half of ``ALPHA``, so it is valid and rather too wide than too narrow. It
holds at any number of looks (see :mod:`switchover.judge.confidence`), for one figure at a time:
of twenty figures that do not differ one may still look as if it did.

Over several stages a plain sum would compare different times: legacy has most of its requests
early, the candidate late. So both systems are averaged over the stages with the same weights,
n_l n_c / (n_l + n_c) each (Cochran 1954; Mantel and Haenszel 1959).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any, Literal

from switchover.judge.block import Tally
from switchover.judge.confidence import mean_interval, rank_interval, share_interval
from switchover.judge.sketch import HIGHEST, value_of

#: The risk that an interval of a difference ever misses the truth.
ALPHA = 0.05
QUANTILES = (0.5, 0.95, 0.99)

Form = Literal["share", "values", "gauge", "requests"]
Basis = Literal["time-uniform", "asymptotic", "none"]
Pair = tuple[Tally, Tally]
_Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a metric is: ``better`` is the direction to go, up (1), down (-1) or unknown (0). A
    share is of the good ones if up is better. A gauge's values hang together in time, so
    nothing is said about how sure its difference is."""

    metric: str
    form: Form
    better: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both systems, in the metric's unit; a share is between 0 and 1.

    ``difference`` is candidate minus legacy, between ``low`` and ``high`` (None: no bound), and
    ``ratio`` candidate to legacy. A value that is not finite, as recorded, is None. ``outcome``
    is said of what lies beyond doubt only.
    """

    metric: str
    figure: str
    unit: str
    legacy: float | None
    candidate: float | None
    legacy_n: int
    candidate_n: int
    difference: float | None
    ratio: float | None
    low: float | None
    high: float | None
    basis: Basis
    outcome: Literal["better", "worse", "higher", "lower", "unclear", ""]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, to six digits."""
        return {
            key: float(f"{value:.6g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def compare(shape: Shape, stages: Sequence[Pair]) -> tuple[Figure, ...]:
    """The figures of legacy and candidate over ``stages``, where both have observations."""
    pairs = [(ours, theirs) for ours, theirs in stages if ours.n > 0 and theirs.n > 0]
    if not pairs:
        return ()
    weights = [ours.n * theirs.n / (ours.n + theirs.n) for ours, theirs in pairs]
    weights = [weight / sum(weights) for weight in weights]
    if shape.form == "requests":
        counts = [float(sum(tallies)) for tallies in zip(*((a.n, b.n) for a, b in pairs),
                                                          strict=True)]  # fmt: skip
        return (_figure(shape, "count", counts, pairs, None, "none"),)
    if shape.form == "share":
        return (_average(shape, "share", pairs, weights),)
    figures = [_average(shape, "mean", pairs, weights)]
    figures += [_quantile(shape, q, pairs, weights) for q in QUANTILES if pairs[0][0].sketch]
    return tuple(figures)


def _average(shape: Shape, name: str, pairs: Sequence[Pair], weights: Sequence[float]) -> Figure:
    """A share or a mean: weighted over the stages, and so are its bounds."""
    values = [0.0, 0.0]
    bounds = [[0.0, 0.0], [0.0, 0.0]]
    alpha = ALPHA / 2 / len(pairs)
    for pair, weight in zip(pairs, weights, strict=True):
        for side, tally in enumerate(pair):
            if name == "share":
                k = tally.n - tally.bad if shape.better > 0 else tally.bad
                value, span = k / tally.n, share_interval(tally.n, k, alpha)
            else:
                value, span = _mean(tally, alpha)
            values[side] += weight * value
            bounds[side][0] += weight * span[0]
            bounds[side][1] += weight * span[1]
    basis: Basis = "time-uniform" if name == "share" else "asymptotic"
    span = bounds[1][0] - bounds[0][1], bounds[1][1] - bounds[0][0]
    if shape.form == "gauge":
        return _figure(shape, name, values, pairs, None, "none")
    return _figure(shape, name, values, pairs, span, basis)


def _mean(tally: Tally, alpha: float) -> tuple[float, _Range]:
    """The mean and its bounds; unknown as soon as one value is no finite number, as sums leave
    such values out."""
    if tally.sketch.get(HIGHEST):
        return inf, (-inf, inf)
    span = mean_interval(tally.n, tally.total, tally.total_squares, alpha)
    return tally.total / tally.n, span


def _quantile(shape: Shape, q: float, pairs: Sequence[Pair], weights: Sequence[float]) -> Figure:
    """A quantile; one stage has an interval, a mixture of several has none."""
    values, bounds = [], []
    for side in (0, 1):
        mixed: dict[int, float] = {}
        for pair, weight in zip(pairs, weights, strict=True):
            sketch = pair[side].sketch
            n = sum(sketch.values()) or 1
            for bucket, count in sketch.items():
                mixed[bucket] = mixed.get(bucket, 0.0) + weight * count / n
        values.append(_value_at(mixed, q * sum(mixed.values())) or 0.0)
        if len(pairs) == 1:
            bounds.append(_quantile_range(pairs[0][side].sketch, q, ALPHA / 2))
    name = f"p{100 * q:g}"
    if len(pairs) > 1 or shape.form == "gauge":
        return _figure(shape, name, values, pairs, None, "none")
    span = bounds[1][0] - bounds[0][1], bounds[1][1] - bounds[0][0]
    return _figure(shape, name, values, pairs, span, "time-uniform")


def _quantile_range(sketch: Mapping[int, int], q: float, alpha: float) -> _Range:
    n = sum(sketch.values())
    low, high = rank_interval(n, q, alpha)
    least = None if low < 1 else _value_at(sketch, low)
    most = None if high > n else _value_at(sketch, high)
    return least or 0.0, float("inf") if most is None else most


def _value_at(sketch: Mapping[int, float], rank: float) -> float | None:
    """The value of a rank, 1 for the least of all; for shares, of their sum."""
    seen = 0.0
    found = None
    for bucket in sorted(sketch):
        if sketch[bucket] > 0:
            found, seen = bucket, seen + sketch[bucket]
            if seen >= rank * (1.0 - 1e-12):
                break
    return None if found is None else value_of(found)


def _figure(
    shape: Shape,
    name: str,
    values: Sequence[float],
    pairs: Sequence[Pair],
    span: _Range | None,
    basis: Basis,
) -> Figure:
    legacy, candidate = (_bound(value) for value in values)
    difference = ratio = None
    if legacy is not None and candidate is not None:
        difference = candidate - legacy
        ratio = candidate / legacy if legacy > 0 else None
    low, high = (None, None) if span is None else (_bound(span[0]), _bound(span[1]))
    return Figure(
        metric=shape.metric,
        figure=name,
        unit="share" if name == "share" else shape.unit,
        legacy=legacy,
        candidate=candidate,
        legacy_n=sum(ours.n for ours, _ in pairs),
        candidate_n=sum(theirs.n for _, theirs in pairs),
        difference=difference,
        ratio=ratio,
        low=low,
        high=high,
        basis=basis,
        outcome=_outcome(shape, low, high) if span is not None else "",
    )


def _bound(value: float) -> float | None:
    return value if isfinite(value) else None


def _outcome(
    shape: Shape, low: float | None, high: float | None
) -> Literal["better", "worse", "higher", "lower", "unclear"]:
    up = low is not None and low > 0
    if not up and not (high is not None and high < 0):
        return "unclear"
    if shape.better == 0:
        return "higher" if up else "lower"
    return "better" if up == (shape.better > 0) else "worse"

"""Mean: the average of a measured value (a duration) is at most ``limit``.

Values have no upper bound, so they are cut to [0, C] (winsorised; C is ``cap``, ten times the limit
by default). Cutting only lowers a mean: "the mean is at most m" implies the same of the cut
values, so a rollback is valid for the true mean of values from 0. Promotion says that the mean
of the cut values is below the limit; what lies beyond the cap is for a quantile gate.

The bet 1 + lambda (y - m) is fair for every lambda below 1/m (Waudby-Smith and Ramdas, "Estimating
means of bounded random variables by betting", 2023). A block holds sums and not values, so
the product is bounded from below, which keeps it valid:

* up to the knee K = 3 m by ln(1 + x) >= x - x^2 (-ln(1 - c) - c)/c^2 for x >= -c (Fan, Grama and
  Liu, "Exponential inequalities for martingales with applications", 2015; Howard et al.,
  "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021): takes n, sum, squares;
* above it by the chord of the concave ln(1 + lambda (y - m)) over [K, C]: takes count and sum.

Promotion is the same with 1 - lambda (y - m), lambda below 1/(C - m). Nine lambdas, mixed. The sum
of a block is exact. How much of it lies above the knee is known to a bucket of the sketch, and
taken to be all at its upper end: above the knee the chord of either bet is less in its favour than
below, so that it only loses by that. Where values lie beyond the cap, or below 0, all of them are
read from the sketch, at the lower end of their bucket to roll back and at the upper one to promote.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log1p
from operator import mul

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence, bet_against, bet_in_favour
from switchover.judge.gate import LEAST, GateSpec, candidate_of
from switchover.judge.reading import Seen, measured, read
from switchover.judge.rules import Rules
from switchover.judge.sketch import GAMMA, LOWEST, bucket_of, upper, value_of
from switchover.judge.verdict import GateReading

#: The default cap, the knee, and the least cap, in limits.
CAPPED = 10.0
_KNEE = 3.0
LEAST_CAP = 1.5
#: Limits and caps lie within 1 to this, up or down, so that their squares are finite.
FARTHEST = 1e100
#: From a bucket's value to its ends.
_LOWER, _UPPER = (1.0 + GAMMA) / (2.0 * GAMMA), (1.0 + GAMMA) / 2.0
#: A bucket that straddles the knee holds values so far above it.
_STRADDLE = 1.02
#: Bets as parts of the largest fair one; promotion's is smaller by the cap, so these are larger.
_BETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.55, 0.8)
_BETTER = (0.02, 0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.65, 0.8)

#: n, sum and sum of squares up to the knee; count and sum above it.
_Sums = tuple[int, float, float, int, float]


class Mean:
    """A measured value of the candidate: its average against a fixed limit."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limit is a positive value, the cap a larger one."""
        if not 0.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(f"gate {spec.name}: the limit must be positive, not {spec.limit}")
        if spec.to_promote < 1.0 / FARTHEST or max(spec.limit, cap_of(spec)) > FARTHEST:
            raise ValueError(
                f"gate {spec.name}: the limit and the cap must lie between {1.0 / FARTHEST:g} and "
                f"{FARTHEST:g}; use another unit"
            )
        if spec.cap is not None and not LEAST_CAP * spec.limit <= spec.cap < float("inf"):
            raise ValueError(
                f"gate {spec.name}: the cap {spec.cap} must be {LEAST_CAP:g} times the limit "
                f"{spec.limit} at least"
            )

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Bet on the sums of the fresh values."""
        cap = cap_of(spec)
        fresh, staged = candidate_of(look, spec.metric), candidate_of(stage_look, spec.metric)
        if fresh is not None and fresh.n > 0:
            sums = _sums(fresh, _KNEE * spec.limit, cap, _LOWER)
            gains = _gains(sums, spec.limit, cap, tuple(bet / spec.limit for bet in _BETS))
            bet_against(state, gains, fresh.n, sums[1] + sums[4], rules.planned_looks)
        if staged is not None and staged.n > 0:
            limit = spec.to_promote
            sums = _sums(staged, _KNEE * limit, cap, _UPPER)
            gains = _gains(sums, limit, cap, tuple(-bet / (cap - limit) for bet in _BETTER))
            n, total, squares = staged.n, sums[1] + sums[4], sums[2] + sums[4] * cap
            spread = max(squares / n - (total / n) ** 2, 1e-6 * limit * limit)
            told = n * (0.2 * limit) ** 2 / (0.0625 * spread)
            bet_in_favour(state, gains, n, 0, told)
            state.stage = {"total": state.stage.get("total", 0.0) + total}

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's mean in the metric's unit, values cut at the cap."""
        estimate = state.stage["total"] / state.n if state.n else None
        recent = state.recent_bad / state.recent_n if state.recent_n else 0.0
        lately = measured(recent, spec.seconds)
        seen_mean = measured(estimate or 0.0, spec.seconds)
        limit = f"limit {measured(spec.limit, spec.seconds)}"
        seen = Seen(
            estimate=estimate,
            words=f"mean {seen_mean} in {state.n:,}, {limit}",
            recently=f"mean {lately} in the latest {state.recent_n:,.0f}, {limit}",
            n_min=spec.n_min or LEAST,
        )
        return read(spec, rules, state, seen, rolls_back)


def cap_of(spec: GateSpec) -> float:
    """Where values are cut."""
    return CAPPED * spec.limit if spec.cap is None else spec.cap


def _sums(tally: Tally, knee: float, cap: float, end: float) -> _Sums:
    """The block's sums; where they can't be exact, of values at that ``end`` of their buckets."""
    last = bucket_of(min(knee, cap))
    sketch = tally.sketch
    high = upper(sketch, last)
    # No sum of values from 0 to the cap is larger; more may come from a number that overflowed.
    whole = max(0.0, min(tally.total, tally.n * cap))
    whole_squares = max(0.0, min(tally.total_squares, tally.n * cap * cap))
    odd = LOWEST in sketch
    if not high and not odd:
        return tally.n, whole, whole_squares, 0, 0.0
    n = sum([count for _, count in high])
    if not odd and max(high)[0] < bucket_of(cap):
        tops = [(_UPPER * value_of(bucket), count) for bucket, count in high]
        beyond_it = sum([top * count for top, count in tops])
        squares = whole_squares - sum([top * top * count for top, count in tops]) / GAMMA**2
        return tally.n - n, whole - beyond_it, squares, n, beyond_it
    beyond_it = sum([min(end * value_of(bucket), cap) * count for bucket, count in high])
    # One pass in C over the rest, however wide the sketch.
    counts = sketch.values()
    values = list(map(_values_up_to(last).__getitem__, sketch))
    weighed = list(map(mul, values, counts))
    total, squares = end * sum(weighed), end * end * sum(map(mul, weighed, values))
    return sum(counts) - n, total, squares, n, beyond_it


class _Values(dict[int, float]):
    """Bucket to its value, worked out once for each; 0 above bucket ``last``."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last = last

    def __missing__(self, bucket: int) -> float:
        value = self[bucket] = value_of(bucket) if bucket <= self._last else 0.0
        return value


@lru_cache(maxsize=64)
def _values_up_to(last: int) -> _Values:
    return _Values(last)


def _gains(sums: _Sums, limit: float, cap: float, bets: Sequence[float]) -> list[float]:
    """Lower bounds on the log outcome of each bet ``lambda``; below 0 it is one in favour."""
    n, total, squares, n_high, high = sums
    over = total - n * limit
    spread = max(squares - 2.0 * limit * total + n * limit * limit, 0.0)
    knee = min(_KNEE * limit, cap)
    gains = []
    for bet in bets:
        # The furthest that a value up to the knee can lose.
        most = bet * limit if bet > 0.0 else -bet * (_STRADDLE * knee - limit)
        curve = -(log1p(-most) + most) / (most * most)
        gain = bet * over - curve * bet * bet * spread
        if n_high:
            low = log1p(bet * (knee - limit))
            top = log1p(bet * (cap - limit))
            slope = (top - low) / (cap - knee) if cap > knee else 0.0
            gain += n_high * low + (high - n_high * knee) * slope
        gains.append(gain)
    return gains

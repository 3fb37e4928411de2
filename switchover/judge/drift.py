"""Drift: the distribution of a score differs from legacy's by at most ``limit``.

Nine edges, legacy's deciles, are taken from PAST blocks only and then stay, so they are fixed
before a block is seen. For each edge and each side, with a block of n_c and n_l values of which
the shares p_c and p_l lie beyond the edge, and m = n_c n_l / (n_c + n_l),

    exp(m (s (p_c - p_l - limit) - s^2/8))

has expectation at most 1 as long as the true shares differ by no more than ``limit`` (Hoeffding
1963, as a test supermartingale: Howard et al., "Time-uniform Chernoff bounds", 2020). Both
systems' values of the same minute are compared, so what changes with the time of day cancels out;
while legacy is absent its past share stands in, three standard errors to the safe side. In
shadow both score the same requests, which makes the difference less noisy and the bound safer.

Rollback: the e-values of nine edges, two sides and two s are averaged, with restarts. It reads
"the distributions are apart by more than the limit at some decile" (a Kolmogorov-Smirnov
distance at nine points). Promotion has to show the opposite at every edge on both sides, so its
evidence is the least of the eighteen, which is valid whichever of them is broken.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp, log
from operator import add
from typing import Any

from switchover.judge.block import Look, Tally
from switchover.judge.bound import SURE, wilson
from switchover.judge.evidence import GateEvidence, bet_against, bet_in_favour
from switchover.judge.gate import GateSpec, readable
from switchover.judge.reading import Seen, percent, read
from switchover.judge.rules import Rules
from switchover.judge.sketch import merge, value_of
from switchover.judge.verdict import GateReading

#: Legacy's values before its deciles are taken.
LEARNT = 200
#: Fewest observations before any promotion.
LEAST = 200
_EDGES = 9
#: Slopes s of the bets: four times the excess at which each grows fastest.
_SLOPES = (0.14, 0.7)
#: Past legacy counts are halved beyond this many, so that old times fade.
_FADE = 1_000_000


class Drift:
    """A measured value of both systems: whole distributions, compared."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are distances strictly between 0 and 1."""
        if not 0.0 < spec.to_promote <= spec.limit < 1.0:
            raise ValueError(
                f"gate {spec.name}: the limit is a distance of two distributions between 0 and "
                f"1 (0.1 for ten points), not {spec.limit}"
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
        """Bet on the shares beyond each edge; learn legacy's."""
        fresh, staged = look.get(spec.metric, {}), stage_look.get(spec.metric, {})
        legacy, memory = readable(fresh.get("legacy")), state.memory
        edges = memory.get("edges")
        if edges is None:
            if legacy is not None and legacy.sketch:
                state.memory = _learn_edges(memory, legacy.sketch)
            return
        places = _places(tuple(edges))
        theirs = _below(legacy, places)
        ours = _below(fresh.get("candidate"), places)
        apart: tuple[float, list[float]] | None = None
        if ours is not None:
            m, over = apart = _differences(ours, theirs, memory["below"], SURE)
            gains = _gains(m, over, spec.limit)
            bet_against(state, gains, ours[-1], ours[-1] * max(over), rules.planned_looks)
        mine, both = fresh.get("candidate"), (ours, theirs)
        if staged.get("candidate") is not mine:
            ours = _below(staged.get("candidate"), places)
        its = theirs
        if staged.get("legacy") is not fresh.get("legacy"):
            its = _below(readable(staged.get("legacy")), places)
        if ours is not None:
            if apart is None or its is None or ours is not both[0] or its is not both[1]:
                apart = _differences(ours, its, memory["below"], -SURE)
            self._favour(spec, state, ours, its, *apart)
        if theirs is not None:
            state.memory = {**memory, "below": _faded(_plus(memory["below"], theirs))}

    def _favour(
        self,
        spec: GateSpec,
        state: GateEvidence,
        ours: list[int],
        theirs: list[int] | None,
        m: float,
        over: list[float],
    ) -> None:
        """The least of eighteen bets, each a mean over the slopes, that there is no drift."""
        limit, kept = spec.to_promote, state.stage
        apart = list(map(add, kept.get("apart") or [0.0] * len(over), [m * one for one in over]))
        weight, room = kept.get("weight", 0.0) + m, kept.get("room", 0.0) + m * limit
        least = _least(weight, room - max(apart))
        before = state.favour[0] if state.favour else 0.0
        told = 4.0 * m * (limit / 4.0) ** 2 / 0.0625
        bet_in_favour(state, [least - before], ours[-1], 0, told)
        mine = _plus(kept.get("ours") or [0] * (_EDGES + 1), ours)
        its = _plus(kept.get("theirs") or [0] * (_EDGES + 1), theirs or [0] * (_EDGES + 1))
        state.stage = {
            "apart": apart, "weight": weight, "room": room, "ours": mine, "theirs": its,
        }  # fmt: skip

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's largest difference of the two shares at any edge."""
        estimate, where = None, ""
        if state.n:
            theirs = state.stage["theirs"]
            theirs = theirs if theirs[-1] else state.memory["below"]
            estimate, where = _furthest(state.stage["ours"], theirs, state.memory["edges"])
        recent = state.recent_bad / state.recent_n if state.recent_n else 0.0
        allowed = f"{percent(spec.limit)} allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{percent(estimate or 0.0)} apart{where} in {state.n:,}, {allowed}",
            recently=(
                f"{percent(recent)} apart from legacy in the latest {state.recent_n:,.0f}, "
                f"{allowed}"
            ),
            n_min=spec.n_min or LEAST,
        )
        return read(spec, rules, state, seen, rolls_back)


def _gains(m: float, over: Sequence[float], limit: float) -> list[float]:
    """What bets on differences above ``limit`` gain: those of one slope, then of the next."""
    gains = []
    for slope in _SLOPES:
        grows, less = m * slope, m * slope * (limit + slope / 8.0)
        gains += [grows * one - less for one in over]
    return gains


def _least(weight: float, room: float) -> float:
    """The least mixture of the slopes, over the edges and sides: that of the widest difference.

    Each slope's bet of a stage is exp(s room - s^2/8 weight), with the sums over its blocks of m
    and of m (limit - difference); it grows with the room, whatever the slope.
    """
    bets = [slope * (room - slope / 8.0 * weight) for slope in _SLOPES]
    top = max(bets)
    return top + log(sum([exp(bet - top) for bet in bets]) / len(bets))


def _learn_edges(memory: Mapping[str, Any], legacy: Mapping[int, int]) -> dict[str, Any]:
    """Legacy's sketch with a look more; its deciles instead, as soon as it is enough."""
    sketch = merge((memory.get("sketch", {}), legacy))
    n = sum(sketch.values())
    if n < LEARNT:
        return {"sketch": sketch}
    buckets = sorted(sketch)
    running = list(accumulate([sketch[bucket] for bucket in buckets]))
    edges = [
        buckets[bisect_left(running, n * decile / (_EDGES + 1))] for decile in range(1, _EDGES + 1)
    ]
    # The past that made the edges fits them too well to count as a share of its own.
    return {"edges": edges, "below": [0] * (_EDGES + 1)}


def _below(tally: Tally | None, places: Mapping[int, int]) -> list[int] | None:
    """How many values lie up to each edge, and at the end how many there are."""
    if tally is None or not tally.sketch:
        return None
    counts = [0] * (_EDGES + 1)
    for bucket, count in tally.sketch.items():
        counts[places[bucket]] += count
    return list(accumulate(counts))


class _Places(dict[int, int]):
    """Bucket to the number of edges below it, worked out once for each."""

    def __init__(self, edges: tuple[int, ...]) -> None:
        super().__init__()
        self._edges = edges

    def __missing__(self, bucket: int) -> int:
        place = self[bucket] = bisect_left(self._edges, bucket)
        return place


@lru_cache(maxsize=64)
def _places(edges: tuple[int, ...]) -> _Places:
    return _Places(edges)


def _differences(
    ours: Sequence[int], theirs: Sequence[int] | None, past: Sequence[int], sure: float
) -> tuple[float, list[float]]:
    """How much the block tells, and our share less legacy's up to each edge, then beyond it."""
    n, known = ours[-1], past[-1]
    if theirs is not None:
        n_l = theirs[-1]
        down = [mine / n - its / n_l for mine, its in zip(ours[:-1], theirs[:-1], strict=True)]
        return n * n_l / (n + n_l), down + [-one for one in down]
    if known < LEARNT:
        return 0.0, [0.0] * (2 * _EDGES)
    down = [
        mine / n - wilson(known, its, sure) for mine, its in zip(ours[:-1], past[:-1], strict=True)
    ]
    up = [
        1 - mine / n - wilson(known, known - its, sure)
        for mine, its in zip(ours[:-1], past[:-1], strict=True)
    ]
    return float(n), down + up


def _furthest(
    ours: Sequence[int], theirs: Sequence[int], edges: Sequence[int]
) -> tuple[float | None, str]:
    if not theirs[-1]:
        return None, ""
    gaps = [
        mine / ours[-1] - its / theirs[-1] for mine, its in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    place = max(range(_EDGES), key=lambda index: abs(gaps[index]))
    side = "more" if gaps[place] > 0 else "fewer"
    edge = value_of(edges[place])
    return abs(gaps[place]), f" from legacy, {side} of them up to {edge:.3g},"


def _plus(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return list(map(add, one, other))


def _faded(counts: list[int]) -> list[int]:
    return [count // 2 for count in counts] if counts[-1] > _FADE else counts

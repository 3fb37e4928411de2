"""Relative quantile: the candidate's quantile is at most ``limit`` times that of legacy.

The threshold tau is legacy's quantile over PAST blocks only, so it is fixed before a block is
seen. Then the block says how often legacy lies above tau and the candidate above r tau, and the
two shares are compared as in :mod:`switchover.judge.relative_rate` with ratio 1: if the candidate
is nowhere slower than r times legacy, its share is not the larger one, whatever tau is; an error
in tau costs power, not validity, and a minute that is slow for both cancels out. While legacy is
absent its past share stands in, with a bound to the safe side.

For promotion, a share of at most 1 - quantile above r tau' counts too, as a legacy of constant
speed is hardly ever above its quantile. tau' is the highest bucket that lies below legacy's
quantile for sure: three standard errors more than 1 - quantile of its past values are above it. A
candidate on the limit is then above r tau' too often. With tau itself, an estimate that is too high
as often as too low, a share of 1 - quantile above r tau would say nothing of the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil, floor, log
from typing import Any, NamedTuple

from switchover.judge.block import Look, Tally
from switchover.judge.bound import SURE
from switchover.judge.bursty import watch, watch_stage
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec, readable
from switchover.judge.proportion import recent_rate
from switchover.judge.reading import Seen, figure, measured, read
from switchover.judge.relative_rate import compare_against, compare_in_favour
from switchover.judge.rules import Rules
from switchover.judge.sketch import GAMMA, HIGHEST, beyond, value_of
from switchover.judge.tail import (
    halve,
    split,
    sure_bucket,
    tail_bucket,
    tail_quantile,
    teaches,
    widen,
)
from switchover.judge.verdict import GateReading

#: Past legacy counts are halved beyond this many, so that old times fade.
_FADE = 200_000
#: The threshold is taken anew when legacy has grown by this factor: the sort is the costly part.
_GROWN = 1.05
#: With so many past values of legacy above it, its threshold is known to a tenth of their share.
#: From then on every fourth look teaches.
_ENOUGH, _EVERY = 100.0, 4
#: So few buckets are looked up one by one, rather than all of a sketch sifted.
_NEAR = 40


class RelativeQuantile:
    """A measured value of both systems, compared."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are ratios above 0."""
        if not 0.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(
                f"gate {spec.name}: the limit is a ratio to legacy above 0 (1.5 for half as "
                f"slow again), not {spec.limit}"
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
        """Bet on which system the values above the threshold come from."""
        fresh, staged = look.get(spec.metric, {}), stage_look.get(spec.metric, {})
        allowed = 1.0 - spec.quantile
        ours, theirs = fresh.get("candidate"), readable(fresh.get("legacy"))
        seen, memory, number = staged.get("candidate"), state.memory, state.memory.get("looks", 0)
        last = memory.get("last")
        if last is None:
            mine = _tail(state.stage, seen, (0,), allowed, number)
            its = _tail(memory, theirs, (0,), allowed, number)
            state.stage = _shown(state.stage, mine)
            state.memory = _learn(memory, its, spec.quantile, number, mine.n + its.n > 0)
            return
        past = Tally(n=memory["seen"], bad=memory["over"])
        rise, little = steps(spec.limit, spec.to_promote)
        low = memory.get("low")
        # What the candidate can't tell lies above every threshold.
        up, down = min(last + rise, HIGHEST - 1), min(last + little, HIGHEST - 1)
        least = down if low is None else min(low + little, HIGHEST - 1)
        same = seen is ours
        mine = _tail(
            state.stage, ours, (up, down, least) if same else (up,), allowed,
            number if same else None,
        )  # fmt: skip
        settled = memory["seen"] * allowed > _ENOUGH and number % _EVERY
        its = _tail(memory, theirs, (last,), allowed, None if settled else number)
        candidate, legacy = Tally(mine.n, mine.above[0]), Tally(its.n, its.above[0])
        watch(spec, rules, state, candidate, legacy, at, ratio=1.0, past=past)
        compare_against(state, rules, 1.0, candidate, legacy, past)
        if not same:
            mine = _tail(state.stage, seen, (down, down, least), allowed, number)
        if staged.get("legacy") is not fresh.get("legacy"):
            staying = _tail(memory, readable(staged.get("legacy")), (last,), allowed, None)
            legacy = Tally(staying.n, staying.above[0])
        if not same or mine.above[1] != mine.above[0]:
            candidate = Tally(mine.n, mine.above[1])
        floor_bad = None
        if low is not None and past.n >= spec.least(allowed):
            floor_bad = mine.above[2]
            watch_stage(
                rules, state, candidate, legacy, at, ratio=1.0, allowed=allowed,
                floor_bad=floor_bad,
            )  # fmt: skip
        compare_in_favour(state, 1.0, allowed, candidate, legacy, past, floor_bad)
        state.stage = _shown(state.stage, mine)
        state.memory = _learn(memory, its, spec.quantile, number, mine.n + its.n > 0)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the ratio of the stage's quantile to legacy's past one."""
        ours = tail_quantile(state.stage, spec.quantile)
        last = state.memory.get("last")
        theirs = None if last is None else value_of(last)
        estimate = None if ours is None or not theirs else ours / theirs
        name = f"p{100 * spec.quantile:g}"
        against = "legacy unknown" if theirs is None else f"legacy {measured(theirs, spec.seconds)}"
        allowed = f"{against}, {figure(spec.limit)} times allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{name} {measured(ours or 0.0, spec.seconds)} in {state.n:,}, {allowed}",
            recently=f"{recent_rate(state, rolls_back)} above the allowed {name}, {allowed}",
            n_min=spec.least(1.0 - spec.quantile),
        )
        return read(spec, rules, state, seen, rolls_back)


class _Tail(NamedTuple):
    """A look of one system: how many values, how many lie above each of the buckets asked for,
    and the tail with them, if it changed."""

    n: int
    above: Sequence[int]
    kept: Mapping[str, Any] | None = None


_NOTHING = _Tail(0, (0, 0, 0))


def _tail(
    kept: Mapping[str, Any],
    fresh: Tally | None,
    lasts: Sequence[int],
    allowed: float,
    look: int | None,
) -> _Tail:
    """``lasts`` from above; ``look`` is the look's number, None: it only counts."""
    if fresh is None or not fresh.sketch:
        return _NOTHING
    sketch = fresh.sketch
    n = sum(sketch.values())
    if look is None or not teaches(kept, n, allowed, look):
        return _Tail(n, _above(sketch, lasts, beyond(sketch, lasts[-1])))
    part, over = split(kept, sketch, lasts[-1])
    return _Tail(n, _above(sketch, lasts, over), widen(kept, sketch, n, allowed, part))


def _above(sketch: Mapping[int, int], lasts: Sequence[int], over: int) -> Sequence[int]:
    """How many lie above each, of which ``over`` above the lowest."""
    if len(lasts) == 1:
        return (over,)
    counts = [over]
    for lower, last in zip(lasts[:0:-1], lasts[-2::-1], strict=True):
        if last - lower > _NEAR:
            over = beyond(sketch, last)
        else:
            for bucket in range(lower + 1, last + 1):
                over -= sketch.get(bucket, 0)
        counts.append(over)
    counts.reverse()
    return counts


@lru_cache(maxsize=64)
def steps(limit: float, to_promote: float) -> tuple[int, int]:
    """The ratios in buckets, rounded to the safe side each: up to roll back, down to promote."""
    return (
        ceil(log(limit) / log(GAMMA) - 1e-9),
        floor(log(to_promote) / log(GAMMA) + 1e-9),
    )


def _shown(stage: Mapping[str, Any], tail: _Tail) -> Mapping[str, Any]:
    return stage if tail.kept is None else {**stage, **tail.kept}


def _learn(
    memory: Mapping[str, Any], tail: _Tail, share: float, look: int, heard: bool
) -> Mapping[str, Any]:
    """Past legacy with a look more, and its threshold."""
    if tail.kept is None:
        return {**memory, "looks": look + 1} if heard else memory
    past: Mapping[str, Any] = tail.kept
    last, since, low = memory.get("last"), memory.get("since", 0), memory.get("low")
    if past["seen"] > _FADE:
        past, last = halve(past), None
    if last is not None and past["seen"] <= _GROWN * since:
        over = memory["over"] + tail.above[0]
    else:
        last, since = tail_bucket(past, share), past["seen"]
        over = 0 if last is None else beyond(past["sketch"], last)
        low = sure_bucket(past, share, SURE)
    return {**past, "last": last, "low": low, "since": since, "over": over, "looks": look + 1}

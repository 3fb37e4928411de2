"""Relative rate: the candidate's bad rate is at most ``limit`` times that of legacy.

Given that a block holds n bad ones of both systems, the candidate's share of them is binomial
with at most q0 = n_c r / (n_c r + n_l), where n_c and n_l count the observations (the
conditional test of two Poisson rates: Przyborowski and Wilenski 1940; as a bet, block by block:
Turner, Ly and Grunwald, "Generic e-variables for sequential two-sample tests", 2024). What hits
both systems in the same minute cancels out.

Without legacy in a block (the candidate serves everything) the past legacy rate stands in, at
its Wilson bound three standard errors to the safe side. Two systems without any bad ones tell
nothing about a ratio; so promotion is also earned by a bad rate below ``floor``: G is the mean
of both bets, which is valid where neither claim holds. Rollback looks at the ratio only.
"""

from __future__ import annotations

from functools import lru_cache
from math import expm1, log1p

from switchover.judge.block import Look, Tally
from switchover.judge.bound import SURE, wilson
from switchover.judge.bursty import watch, watch_stage
from switchover.judge.evidence import (
    SHIFTS,
    GateEvidence,
    bet_against,
    bet_in_favour,
    better,
    worse,
)
from switchover.judge.gate import LEAST, GateSpec, outcomes
from switchover.judge.proportion import recent_rate
from switchover.judge.reading import Seen, figure, percent, read
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading

#: The candidate's bad rate that promotes when there is nothing to compare with.
FLOOR = 0.01
#: Past legacy counts are halved beyond this many, so that old times fade.
_FADE = 1_000_000
_NOTHING = Tally()
#: Shifts of the floor's logit that are bet on; a candidate that needs a floor is far below it.
_BELOW = (-0.25, -0.5, -1.0, -2.0)


class RelativeRate:
    """A yes/no metric of both systems, compared."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are ratios above 0."""
        if not 0.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(
                f"gate {spec.name}: the limit is a ratio to legacy above 0 (1.5 for half as "
                f"many again), not {spec.limit}"
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
        """Bet on which system the fresh bad ones come from."""
        fresh, staged = look.get(spec.metric, {}), stage_look.get(spec.metric, {})
        past = Tally(n=state.memory.get("n", 0), bad=state.memory.get("bad", 0))
        candidate = outcomes(fresh.get("candidate")) or _NOTHING
        legacy = outcomes(fresh.get("legacy")) or _NOTHING
        watch(spec, rules, state, candidate, legacy, at, ratio=spec.limit)
        compare_against(state, rules, spec.limit, candidate, legacy, past)
        floor = FLOOR if spec.floor is None else spec.floor
        ours = outcomes(staged.get("candidate")) or _NOTHING
        theirs = outcomes(staged.get("legacy")) or _NOTHING
        watch_stage(rules, state, ours, theirs, at, ratio=spec.to_promote, allowed=floor)
        compare_in_favour(state, spec.to_promote, floor, ours, theirs, past, ours.bad)
        if legacy.n:
            past.add(Tally(n=legacy.n, bad=legacy.bad))
            fade = 2 if past.n > _FADE else 1
            state.memory = {"n": past.n // fade, "bad": past.bad // fade}

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the ratio of the stage's bad rates, None while legacy has no bad one."""
        source = state.stage if state.stage.get("n") else state.memory
        theirs = source["bad"] / source["n"] if source.get("n") else None
        ours = state.bad / state.n if state.n else None
        estimate = None if ours is None or not theirs else ours / theirs
        against = "legacy unknown" if theirs is None else f"legacy {percent(theirs)}"
        allowed = f"{against}, {figure(spec.limit)} times allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{percent(ours or 0.0)} of {state.n:,} bad, {allowed}",
            recently=f"{recent_rate(state, rolls_back)} bad, {allowed}",
            n_min=spec.n_min or LEAST,
        )
        return read(spec, rules, state, seen, rolls_back)


def compare_against(
    state: GateEvidence, rules: Rules, ratio: float, candidate: Tally, legacy: Tally, past: Tally
) -> None:
    """W after a block of both systems: that the candidate has more than ``ratio`` allows."""
    if candidate.n <= 0:
        return
    coin = _coin(ratio, candidate, legacy, past, +SURE)
    if coin is None:
        state.recent_n += candidate.n
        return
    gains = worse(coin[0], candidate.bad, coin[1])
    bet_against(state, gains, candidate.n, candidate.bad, rules.planned_looks)


def compare_in_favour(
    state: GateEvidence,
    ratio: float,
    floor: float,
    candidate: Tally,
    legacy: Tally,
    past: Tally,
    floor_bad: int | None,
) -> None:
    """G after a block of both systems; keeps legacy's counts of the stage for people.

    Above 0, ``floor`` adds a second bet on ``floor_bad`` of the candidate's being bad, which rests
    as long as that is not known.
    """
    if legacy.n:
        kept = dict(state.stage)
        kept["n"] = kept.get("n", 0) + legacy.n
        kept["bad"] = kept.get("bad", 0) + legacy.bad
        state.stage = kept
    if candidate.n <= 0:
        return
    coin = _coin(ratio, candidate, legacy, past, -SURE)
    if coin is None:
        gains, told = [0.0] * len(SHIFTS), 0.0
    else:
        gains = better(coin[0], candidate.bad, coin[1])
        told = coin[0] * coin[1] * (1.0 - coin[1])
    if floor > 0.0:
        n, bad = (0, 0) if floor_bad is None else (candidate.n, floor_bad)
        gains += [bad * shift - n * per_one for shift, per_one in _floor_bets(floor)]
    bet_in_favour(state, gains, candidate.n, candidate.bad, told)


@lru_cache(maxsize=64)
def _floor_bets(floor: float) -> tuple[tuple[float, float], ...]:
    """Shifts, and what each observation costs; the likelihood ratios of ``better``."""
    return tuple((shift, log1p(floor * expm1(shift))) for shift in _BELOW)


def _coin(
    ratio: float, candidate: Tally, legacy: Tally, past: Tally, sure: float
) -> tuple[int, float] | None:
    """How many flips the block holds and the limit of their share; None if it tells nothing."""
    if legacy.n > 0:
        flips = candidate.bad + legacy.bad
        weighed = candidate.n * ratio
        return (flips, weighed / (weighed + legacy.n)) if flips else None
    if past.n < LEAST:
        return None
    limit = ratio * wilson(past.n, past.bad, sure)
    return (candidate.n, limit) if 0.0 < limit < 1.0 else None

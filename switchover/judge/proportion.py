"""Proportion: at most a share q0 of the observations is bad (agreement, success, errors).

H0 for rollback: the bad rate is at most ``limit`` in every block, whatever it does inside.
Likelihood ratios (q_j/q0)^b ((1-q_j)/(1-q0))^(n-b) have expectation at most 1 then, as they
are rising and linear in the bad rate of one observation (Waudby-Smith and Ramdas 2023). Promotion
turns H0 around. The observations have to be independent of each other given the past; where
legacy shows that they are not, :mod:`switchover.judge.bursty` takes over.

With ``noise``, the limit is one on agreement relative to legacy's with itself: where legacy gives
two answers to one request that differ at a rate v, a candidate as good as legacy differs as
often, and q0 becomes 1 - (1 - q0)(1 - v). v comes from the past of the ``noise`` metric, at the end
of its confidence sequence that is to the safe side: high to roll back, low to promote. That one
holds at all looks at once but with a chance of 0.1 % (1 % to promote), which adds to the gate's own
error, for as long as v is the same; beyond a million pairs the past fades, and v may change. Before
it is known the gate learns nothing, for or against.
"""

from __future__ import annotations

from switchover.judge.block import Look, Tally
from switchover.judge.bursty import recent_blocks, watch, watch_stage
from switchover.judge.confidence import share_interval
from switchover.judge.evidence import (
    SHIFTS,
    GateEvidence,
    bet_against,
    bet_in_favour,
    better,
    worse,
)
from switchover.judge.gate import LEAST, GateSpec, candidate_of, outcomes
from switchover.judge.reading import Seen, percent, read
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading

#: Past noise counts are halved beyond this many, so that old times fade.
_FADE = 1_000_000
#: How often legacy's own noise may lie outside its interval at any look; of the 5 % of a stage's
#: promotion, more can be spent on it than of the rollout's 1 %.
_UNSURE, _UNSURE_TO_PROMOTE = 0.001, 0.01
#: The interval is found anew when the pairs have grown by this factor.
_GROWN = 1.05


class Proportion:
    """A yes/no metric of the candidate, or of pairs of answers."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are rates strictly between 0 and 1."""
        if not 0.0 < spec.to_promote <= spec.limit < 1.0:
            raise ValueError(
                f"gate {spec.name}: the allowed bad rate must lie between 0 and 1, not "
                f"{spec.limit}; to allow none at all use kind count"
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
        """Bet on the bad ones of the fresh observations."""
        limit, to_promote = spec.limit, spec.to_promote
        if spec.noise is not None:
            past = state.memory
            _learn_noise(spec.noise, state, look)
            if "high" not in past:
                return
            limit = _with_noise(limit, past["high"])
            to_promote = _with_noise(to_promote, past["low"])
        fresh = outcomes(candidate_of(look, spec.metric))
        staged = outcomes(candidate_of(stage_look, spec.metric))
        legacy = outcomes(look.get(spec.metric, {}).get("legacy"))
        if limit < 1.0:
            watch(spec, rules, state, fresh, legacy, at, allowed=limit)
            coin_against(state, rules, fresh, limit)
        watch_stage(rules, state, staged, None, at, allowed=to_promote)
        # Where little is known of the noise, the bound may lie below what the candidate is seen
        # to do. No bet then, rather than one that loses what has to be won back.
        hopeless = spec.noise is not None and state.n > 0 and state.bad >= to_promote * state.n
        coin_in_favour(state, staged, to_promote, rests=hopeless)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's bad rate."""
        estimate = state.bad / state.n if state.n else None
        allowed = f"{percent(spec.limit)} allowed"
        noise = "" if spec.noise is None else _noise_words(state)
        allowed += noise
        seen = Seen(
            estimate=estimate,
            words=f"{percent(estimate or 0.0)} of {state.n:,} bad, {allowed}",
            recently=f"{recent_rate(state, rolls_back)} bad, {allowed}",
            n_min=spec.least(spec.to_promote),
            missing=noise if state.memory.get("n", 0) < LEAST else "",
        )
        return read(spec, rules, state, seen, rolls_back)


def coin_against(state: GateEvidence, rules: Rules, fresh: Tally | None, limit: float) -> None:
    """W after a tally of good and bad; the same as before if there is nothing in it."""
    if fresh is not None and fresh.n > 0:
        gains = worse(fresh.n, fresh.bad, limit)
        bet_against(state, gains, fresh.n, fresh.bad, rules.planned_looks)


def coin_in_favour(
    state: GateEvidence, fresh: Tally | None, limit: float, rests: bool = False
) -> None:
    """G after a tally of good and bad, which is only counted if the bet ``rests``."""
    if fresh is not None and fresh.n > 0:
        told = 0.0 if rests else fresh.n * limit * (1.0 - limit)
        gains = [0.0] * len(SHIFTS) if rests else better(fresh.n, fresh.bad, limit)
        bet_in_favour(state, gains, fresh.n, fresh.bad, told)


def _learn_noise(metric: str, state: GateEvidence, look: Look) -> None:
    fresh = outcomes(look.get(metric, {}).get("pair"))
    if fresh is not None and fresh.n > 0:
        past = {"n": 0, "bad": 0, "since": 0, **state.memory}
        past["n"] += fresh.n
        past["bad"] += fresh.bad
        if past["n"] > _FADE:
            past |= {"n": past["n"] // 2, "bad": past["bad"] // 2, "since": 0}
        # An earlier interval is as sure as a later one; to find it is what takes the time.
        if past["n"] >= max(LEAST, _GROWN * past["since"]):
            low, _ = share_interval(past["n"], past["bad"], _UNSURE_TO_PROMOTE)
            _, high = share_interval(past["n"], past["bad"], _UNSURE)
            if past["since"]:
                low, high = max(low, past["low"]), min(high, past["high"])
            past |= {"low": low, "high": high, "since": past["n"]}
        state.memory = past


def _with_noise(limit: float, noise: float) -> float:
    return 1.0 - (1.0 - limit) * (1.0 - noise)


def _noise_words(state: GateEvidence) -> str:
    n = state.memory.get("n", 0)
    if n < LEAST:
        return f"; legacy's agreement with itself is not known yet ({n} of {LEAST} pairs)"
    return f" beyond the {percent(state.memory['bad'] / n)} in which legacy differs from itself"


def recent_rate(state: GateEvidence, rolls_back: bool) -> str:
    """The bad rate since the evidence that decides began to build, in words."""
    blocks = recent_blocks(state, rolls_back)
    if blocks is not None:
        many, share, allowed = blocks
        return (
            f"{percent(share)} of each of the latest {many:,} intervals on average, where "
            f"{percent(allowed)} was allowed,"
        )
    n = state.recent_n
    return f"{percent(state.recent_bad / n if n else 0.0)} of the latest {n:,.0f}"

"""Quantile: the value that a share ``quantile`` of the observations may not exceed.

"p99 < 200 ms" says that at most 1 % of the observations lie above 200 ms: a proportion with
bad = above the limit and q0 = 1 - quantile, so no quantile has to be estimated to judge it
(Howard and Ramdas, "Sequential estimation of quantiles", 2022, on the same reduction). A bucket
that straddles a limit holds values of both sides, nobody knows how many of each: it counts as
within the limit to roll back, and as above it to promote. So both bets are valid for the limit
itself, and what lies within 2 % of it may stay undecided. The upper tail of the stage's values is
kept only to show people the quantile itself.
"""

from __future__ import annotations

from switchover.judge.block import Look, Tally
from switchover.judge.bursty import watch, watch_stage
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec, candidate_of
from switchover.judge.proportion import coin_against, coin_in_favour, recent_rate
from switchover.judge.reading import Seen, measured, percent, read
from switchover.judge.rules import Rules
from switchover.judge.sketch import beyond, bucket_of
from switchover.judge.tail import Part, split, tail_quantile, teaches, widen
from switchover.judge.verdict import GateReading


class Quantile:
    """A measured value of the candidate against a fixed limit."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limit is a positive value."""
        if not 0.0 < spec.to_promote <= spec.limit < float("inf"):
            raise ValueError(f"gate {spec.name}: the limit must be positive, not {spec.limit}")

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Bet on how many of the fresh values lie above the limit."""
        allowed, last = 1.0 - spec.quantile, bucket_of(spec.limit)
        fresh = candidate_of(look, spec.metric)
        staged = candidate_of(stage_look, spec.metric)
        legacy = look.get(spec.metric, {}).get("legacy")
        n, within, kept = 0, bucket_of(spec.to_promote), state.stage
        part: Part | None = None
        seen = theirs = None
        if fresh is not None and fresh.sketch:
            n = sum(fresh.sketch.values())
            if staged is fresh and within == last and teaches(kept, n, allowed, state.blocks):
                part, bad = split(kept, fresh.sketch, last)
            else:
                bad = beyond(fresh.sketch, last)
            seen = Tally(n, bad)
        if legacy is not None and (state.bursts or state.blocks == 0):
            theirs = Tally(sum(legacy.sketch.values()), beyond(legacy.sketch, last))
        looks = state.blocks
        watch(spec, rules, state, seen, theirs, at, allowed=allowed)
        coin_against(state, rules, seen, allowed)
        if staged is None or not staged.sketch:
            return
        if staged is not fresh or within != last:
            n = sum(staged.sketch.values())
            part, bad = split(kept, staged.sketch, within)
        # The straddling bucket, which was within the limit above, is not here.
        good = Tally(n, bad + staged.sketch.get(within, 0))
        watch_stage(rules, state, good, None, at, allowed=allowed)
        coin_in_favour(state, good, allowed)
        if part is not None and teaches(kept, n, allowed, looks):
            state.stage = widen(kept, staged.sketch, n, allowed, part)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's quantile in the metric's unit."""
        estimate = tail_quantile(state.stage, spec.quantile)
        name = f"p{100 * spec.quantile:g}"
        limit = measured(spec.limit, spec.seconds)
        value = measured(estimate or 0.0, spec.seconds)
        above_it = f"above {limit}, {percent(1.0 - spec.quantile)} allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{name} {value} in {state.n:,}, limit {limit}",
            recently=f"{recent_rate(state, rolls_back)} {above_it}",
            n_min=spec.least(1.0 - spec.quantile),
        )
        return read(spec, rules, state, seen, rolls_back)

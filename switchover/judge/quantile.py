"""Quantile: the value that a share ``quantile`` of the observations may not exceed.

"p99 < 200 ms" says that at most 1 % of the observations lie above 200 ms: a proportion with
bad = above the limit and q0 = 1 - quantile, so no quantile has to be estimated to judge it
(Howard and Ramdas, "Sequential estimation of quantiles", 2022, on the same reduction). The
limit is met to the sketch's resolution of 1 %. The stage's sketch is kept only to show people
the quantile itself.
"""

from __future__ import annotations

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence
from switchover.judge.gate import GateSpec, candidate_of
from switchover.judge.proportion import coin_against, coin_in_favour, recent_rate
from switchover.judge.reading import Seen, figure, percent, read
from switchover.judge.rules import Rules
from switchover.judge.sketch import above, merge, quantile
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
        allowed = 1.0 - spec.quantile
        fresh = candidate_of(look, spec.metric)
        coin_against(state, rules, _split(fresh, spec.limit), allowed)
        fresh = candidate_of(stage_look, spec.metric)
        if fresh is not None and fresh.sketch:
            coin_in_favour(state, _split(fresh, spec.to_promote), allowed)
            state.stage = {"sketch": merge((state.stage.get("sketch", {}), fresh.sketch))}

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's quantile in the metric's unit."""
        estimate = quantile(state.stage.get("sketch", {}), spec.quantile)
        name = f"p{100 * spec.quantile:g}"
        above_it = f"above {figure(spec.limit)}, {percent(1.0 - spec.quantile)} allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{name} {figure(estimate or 0.0)} in {state.n:,}, limit {figure(spec.limit)}",
            recently=f"{recent_rate(state)} {above_it}",
            n_min=spec.least(1.0 - spec.quantile),
        )
        return read(spec, rules, state, seen, rolls_back)


def _split(fresh: Tally | None, limit: float) -> Tally | None:
    if fresh is None:
        return None
    return Tally(n=sum(fresh.sketch.values()), bad=above(fresh.sketch, limit))

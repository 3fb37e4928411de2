"""Proportion: at most a share q0 of the observations is bad (agreement, success, errors).

H0 for rollback: the bad rate is at most ``limit`` in every block, whatever it does inside.
Likelihood ratios (q_j/q0)^b ((1-q_j)/(1-q0))^(n-b) have expectation at most 1 then, as they
are rising and linear in the bad rate of one observation (Waudby-Smith and Ramdas 2023). Promotion
turns H0 around. The observations have to be independent of each other given the past.
"""

from __future__ import annotations

from switchover.judge.block import Look, Tally
from switchover.judge.evidence import GateEvidence, bet_against, bet_in_favour, better, worse
from switchover.judge.gate import GateSpec, candidate_of
from switchover.judge.reading import Seen, percent, read
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading


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
        coin_against(state, rules, candidate_of(look, spec.metric), spec.limit)
        coin_in_favour(state, candidate_of(stage_look, spec.metric), spec.to_promote)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's bad rate."""
        estimate = state.bad / state.n if state.n else None
        allowed = f"{percent(spec.limit)} allowed"
        seen = Seen(
            estimate=estimate,
            words=f"{percent(estimate or 0.0)} of {state.n:,} bad, {allowed}",
            recently=f"{recent_rate(state)} bad, {allowed}",
            n_min=spec.least(spec.to_promote),
        )
        return read(spec, rules, state, seen, rolls_back)


def coin_against(state: GateEvidence, rules: Rules, fresh: Tally | None, limit: float) -> None:
    """W after a tally of good and bad; the same as before if there is nothing in it."""
    if fresh is not None and fresh.n > 0:
        gains = worse(fresh.n, fresh.bad, limit)
        bet_against(state, gains, fresh.n, fresh.bad, rules.planned_looks)


def coin_in_favour(state: GateEvidence, fresh: Tally | None, limit: float) -> None:
    """G after a tally of good and bad."""
    if fresh is not None and fresh.n > 0:
        told = fresh.n * limit * (1.0 - limit)
        bet_in_favour(state, better(fresh.n, fresh.bad, limit), fresh.n, fresh.bad, told)


def recent_rate(state: GateEvidence) -> str:
    """The bad rate since the evidence began to build, in words."""
    n = state.recent_n
    return f"{percent(state.recent_bad / n if n else 0.0)} of the latest {n:,.0f}"

"""Paired difference: in shadow both systems answer one request, and the pair is one observation.

d = 1 where only the candidate failed, -1 where only legacy did, 0 where both fared alike. H0 for
rollback: E[d | past] <= delta, the candidate fails at most delta more often than legacy. The
bet 1 + lambda (d - delta) is fair for every lambda below 1/(1 + delta), and a block of pairs is
its product (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
2023; the sequential form of McNemar's test, 1947):

    W *= (1 + lambda (1 - delta))^up (1 - lambda delta)^even (1 - lambda (1 + delta))^down.

Nine lambdas, mixed. What is hard for both, or broken for both, cancels out within the pair, so
this takes far fewer requests than comparing two rates. Promotion turns the sign of lambda around.

A block of system ``pair`` carries the pairs: ``n`` of them, ``total`` the sum of d,
``total_squares`` the sum of d^2, and ``bad`` the candidate's failures (``Recorder.record_pair``).
"""

from __future__ import annotations

from math import log1p

from switchover.judge.block import Look
from switchover.judge.evidence import GateEvidence, bet_against, bet_in_favour
from switchover.judge.gate import LEAST, GateSpec
from switchover.judge.reading import Seen, percent, read
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading

_BETS = (0.01, 0.03, 0.06, 0.12, 0.2, 0.35, 0.5, 0.7, 0.9)
#: A difference of a quarter of the limit, and of a hundredth at least, is worth waiting for.
_NOTICEABLE = 0.01


class Paired:
    """A yes/no outcome of both systems on the same request."""

    weighted = True
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limits are differences of two rates."""
        if not -1.0 < spec.to_promote <= spec.limit < 1.0:
            raise ValueError(
                f"gate {spec.name}: the limit is a difference of two rates (0.02 for two "
                f"points), not {spec.limit}"
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
        """Bet on which system failed alone."""
        counts = _counts(look, spec.metric)
        if counts is not None:
            up, even, down = counts
            most, limit = 1.0 / (1.0 + spec.limit), spec.limit
            gains = [
                up * log1p(bet * most * (1.0 - limit))
                + even * log1p(-bet * most * limit)
                + down * log1p(-bet)
                for bet in _BETS
            ]
            bet_against(state, gains, up + even + down, up - down, rules.planned_looks)
        counts = _counts(stage_look, spec.metric)
        if counts is not None:
            up, even, down = counts
            most, limit = 1.0 / (1.0 - spec.to_promote), spec.to_promote
            gains = [
                up * log1p(-bet) + even * log1p(bet * most * limit)
                + down * log1p(bet * most * (1.0 + limit))
                for bet in _BETS
            ]  # fmt: skip
            n = up + even + down
            uneven = state.stage.get("uneven", 0) + up + down
            gap = max(_NOTICEABLE, abs(spec.limit) / 4.0)
            told = n * gap**2 / (0.0625 * max(uneven / (state.n + n), gap))
            bet_in_favour(state, gains, n, up - down, told)
            failures = state.stage.get("failures", 0) + stage_look[spec.metric]["pair"].bad
            state.stage = {"uneven": uneven, "failures": failures}

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: evidence decides."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the stage's mean of d."""
        estimate = state.bad / state.n if state.n else None
        ours = state.stage.get("failures", 0) / state.n if state.n else 0.0
        recent = state.recent_bad / state.recent_n if state.recent_n else 0.0
        allowed = f"{_points(spec.limit)} allowed"
        seen = Seen(
            estimate=estimate,
            words=(
                f"{_points(estimate or 0.0)} more failures than legacy's in {state.n:,} pairs "
                f"({percent(ours)} against {percent(ours - (estimate or 0.0))}), {allowed}"
            ),
            recently=(
                f"{_points(recent)} more failures than legacy's in the latest "
                f"{state.recent_n:,.0f} pairs, {allowed}"
            ),
            n_min=spec.n_min or LEAST,
            unit="pairs",
        )
        return read(spec, rules, state, seen, rolls_back)


def _counts(look: Look, metric: str) -> tuple[int, int, int] | None:
    """Pairs in which the candidate did worse, as well, and better; None where it can't be told."""
    tally = look.get(metric, {}).get("pair")
    if tally is None or tally.n <= 0:
        return None
    up, down = (tally.total_squares + tally.total) / 2, (tally.total_squares - tally.total) / 2
    if not (up >= 0 and down >= 0 and up + down <= tally.n and up == int(up)):
        return None
    return int(up), tally.n - int(up) - int(down), int(down)


def _points(difference: float) -> str:
    return f"{100 * difference:.3g} points"

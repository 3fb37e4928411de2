"""Sample ratio: the measured split is the wanted one, within ``limit`` (0.02 for two points).

If the systems serve other shares than routing means them to, the figures compare two kinds of
users and not two systems. A Beta-binomial mixture over all shares bets against every share
theta within ``limit`` of the wanted one; with n_c and n_l requests of a stage,

    E = B(1 + n_c, 1 + n_l) / B(1, 1) / max_theta theta^n_c (1 - theta)^n_l,

the sequential test of Lindon and Malek ("Anytime-valid inference for multinomial count data",
2022) against the best theta of the null, so P(E ever >= 1/a) <= a in each stage.

A wrong split is a fault of the plumbing and not of the candidate: the gate never rolls back, and
takes no part in the weighted sum. From E >= 10 on it freezes the ramp and says so. Otherwise it
passes with its least number of requests. Keys differ in how much they ask for, which is what the
limit leaves room for. Record its metric once per served request, and not for shadow calls.
"""

from __future__ import annotations

from math import ceil, lgamma, log

from switchover.judge.block import Look
from switchover.judge.evidence import CAP, LOG_ZERO, GateEvidence, log_total, natural
from switchover.judge.gate import LEAST, GateSpec
from switchover.judge.reading import figure, odds, percent
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading, Verdict


class SampleRatio:
    """Which system served how many requests, against the stage's split."""

    weighted = False
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limit is a deviation of a share; there is nothing to promote by."""
        if not 0.0 <= spec.limit < 0.5:
            raise ValueError(
                f"gate {spec.name}: the limit is a deviation of the candidate's share (0.02 "
                f"for two points), not {spec.limit}"
            )
        if spec.promote_limit is not None:
            raise ValueError(f"gate {spec.name}: kind sample_ratio has no promote_limit")

    def observe(
        self,
        spec: GateSpec,
        rules: Rules,
        state: GateEvidence,
        look: Look,
        stage_look: Look,
        at: float | None,
    ) -> None:
        """Count the stage's requests by system."""
        if not has_split(state):
            state.against = (LOG_ZERO,)
            return
        systems = stage_look.get(spec.metric, {})
        ours, theirs = systems.get("candidate"), systems.get("legacy")
        n = (ours.n if ours else 0) + (theirs.n if theirs else 0)
        if n > 0:
            state.n += n
            state.stage = {"candidate": state.stage.get("candidate", 0) + (ours.n if ours else 0)}
            state.against = (log_mismatch(spec, state),)

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """Never: a wrong split holds."""
        return False

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is how far the measured share is from the wanted one."""
        split = state.split
        measured = state.stage.get("candidate", 0) / state.n if state.n else None
        against = natural(log_total(state.against))
        n_min, short = 0, 0
        if split is None or not has_split(state):
            verdict, words = Verdict.PROMOTE, "this stage splits no requests"
        else:
            n_min = spec.n_min or max(LEAST, ceil(5.0 / min(split, 1.0 - split) - 1e-9))
            short = max(0, n_min - state.n)
            words = (
                f"{percent(measured or 0.0)} of {state.n:,} requests served by the candidate, "
                f"{percent(split)} wanted, {100 * spec.limit:.3g} points allowed"
            )
            if against >= rules.freeze_at:
                verdict = Verdict.HOLD
                words += f"; frozen, evidence {odds(against)} that the split is wrong (no raise "
                words += f"from {figure(rules.freeze_at)})"
            elif state.n == 0:
                verdict = Verdict.INSUFFICIENT_EVIDENCE
                words = f"no data; promotion takes at least {n_min:,} requests"
            elif short:
                verdict = Verdict.INSUFFICIENT_EVIDENCE
                words += f"; {short:,} more requests make the least number {n_min:,}"
            else:
                verdict = Verdict.PROMOTE
        return GateReading(
            gate=spec.name,
            kind=spec.kind,
            metric=spec.metric,
            verdict=verdict,
            estimate=None if measured is None or split is None else abs(measured - split),
            limit=spec.limit,
            n=state.n,
            rollback_evidence=against,
            promote_evidence=CAP if verdict is Verdict.PROMOTE else 0.0,
            need=short,
            sentence=f"{spec.name}: {words}",
        )


def has_split(state: GateEvidence) -> bool:
    """Whether the stage means both systems to serve."""
    return state.split is not None and 0.0 < state.split < 1.0


def log_mismatch(spec: GateSpec, state: GateEvidence) -> float:
    """The logarithm of E; that of nothing where there is nothing to compare."""
    n, split = state.n, state.split
    if split is None or not n:
        return LOG_ZERO
    ours = state.stage["candidate"]
    least, most = max(0.0, split - spec.limit), min(1.0, split + spec.limit)
    best = min(most, max(least, ours / n))
    fit = (ours * log(best) if ours else 0.0) + ((n - ours) * log(1 - best) if n > ours else 0.0)
    return lgamma(1 + ours) + lgamma(1 + n - ours) - lgamma(2 + n) - fit

"""Count: more than ``limit`` events roll back at once (adapter errors, isolation violations).

Deterministic: what may never happen needs no statistics, and its error bound is not one of
chance, so it takes no part in the weighted sum. A block's ``bad`` counts the events, ``n`` the
opportunities; events count over the whole rollout. Promotion takes ``n_min`` opportunities in
the stage: without any opportunity nothing was shown.
"""

from __future__ import annotations

from switchover.judge.block import Look
from switchover.judge.evidence import CAP, GateEvidence
from switchover.judge.gate import LEAST, GateSpec, candidate_of, outcomes
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading, Verdict


class Count:
    """Events of the candidate, counted."""

    weighted = False
    needs: tuple[str, ...] = ("candidate",)

    def check(self, spec: GateSpec) -> None:
        """The limit is a number of events."""
        if spec.to_promote < 0 or spec.limit != int(spec.limit):
            raise ValueError(
                f"gate {spec.name}: the limit is a number of events from 0, not {spec.limit}"
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
        """Count events over the rollout, and opportunities over the stage."""
        fresh = outcomes(candidate_of(look, spec.metric))
        if fresh is not None:
            state.recent_n += fresh.n
            state.recent_bad += fresh.bad
        fresh = outcomes(candidate_of(stage_look, spec.metric))
        if fresh is not None:
            state.n += fresh.n
            state.bad += fresh.bad

    def fired(self, spec: GateSpec, state: GateEvidence) -> bool:
        """As soon as there are more events than allowed."""
        return state.recent_bad > spec.limit

    def read(
        self, spec: GateSpec, rules: Rules, state: GateEvidence, rolls_back: bool
    ) -> GateReading:
        """The estimate is the number of events in the rollout so far."""
        n_min = spec.n_min or LEAST
        short = max(0, n_min - state.n)
        events, fired = state.recent_bad, self.fired(spec, state)
        seen = f"{events:,.0f} events in {state.recent_n:,.0f}, {spec.limit:,.0f} allowed"
        promotes = not fired and not short and events <= spec.to_promote
        if fired:
            verdict, words = Verdict.ROLLBACK, seen
        elif state.n == 0:
            verdict = Verdict.INSUFFICIENT_EVIDENCE
            words = f"no data; promotion takes at least {n_min:,} observations"
        elif short:
            verdict = Verdict.INSUFFICIENT_EVIDENCE
            words = f"{seen}; {short:,} more observations make the least number {n_min:,}"
        elif promotes:
            verdict, words = Verdict.PROMOTE, f"{seen}; {state.n:,} observations in this stage"
        else:
            verdict = Verdict.HOLD
            words = f"{seen}, {spec.to_promote:,.0f} to promote"
        return GateReading(
            gate=spec.name,
            kind=spec.kind,
            metric=spec.metric,
            verdict=verdict,
            estimate=float(events) if state.recent_n else None,
            limit=spec.limit,
            n=state.n,
            rollback_evidence=CAP if fired else 0.0,
            promote_evidence=CAP if promotes else 0.0,
            need=None if events > spec.to_promote else short,
            sentence=f"{spec.name}: {words}",
        )

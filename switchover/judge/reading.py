"""From the evidence of one gate to its verdict and the sentence that explains it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from switchover.judge.evidence import (
    SHIFTS,
    GateEvidence,
    log_total,
    natural,
    observations_to_go,
)
from switchover.judge.gate import GateSpec
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading, Verdict

#: A candidate whose odds of a bad observation are a fifth below the limit's: by the time it
#: would have been passed, one that is not is as good as on the limit.
_NOTICEABLE = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """What a kind tells of its stage: an estimate, the same in words, and since the alarm."""

    estimate: float | None
    words: str
    recently: str
    n_min: int
    unit: str = "observations"


def read(
    spec: GateSpec, rules: Rules, state: GateEvidence, seen: Seen, rolls_back: bool
) -> GateReading:
    """Judge one gate by its W and G. ``rolls_back`` comes from the sum over all gates."""
    target = -log(rules.alpha_promote)
    against, favour = natural(log_total(state.against)), log_total(state.favour)
    to_go = observations_to_go(state, target)
    short = max(0, seen.n_min - state.n)
    need = short if state.n == 0 else None if to_go is None else max(to_go, short)
    decisive = 2.0 * log(len(SHIFTS) / rules.alpha_promote) / _NOTICEABLE**2
    passed = f"evidence {odds(natural(favour))} of {figure(1 / rules.alpha_promote)} to promote"

    if rolls_back:
        verdict = Verdict.ROLLBACK
        words = f"{seen.recently}; evidence {odds(against)} that the limit is broken"
    elif against >= rules.freeze_at:
        verdict = Verdict.HOLD
        words = (
            f"{seen.recently}; frozen, evidence {odds(against)} that the limit is broken "
            f"(no raise from {figure(rules.freeze_at)})"
        )
    elif state.n == 0:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        words = f"no data; promotion takes at least {seen.n_min:,} {seen.unit}"
    elif favour >= target and not short:
        verdict, words = Verdict.PROMOTE, f"{seen.words}; {passed}"
    elif favour >= target:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        words = f"{seen.words}; {short:,} more {seen.unit} make the least number {seen.n_min:,}"
    elif state.information >= decisive:
        verdict = Verdict.HOLD
        words = (
            f"{seen.words}; {passed}: after so many it is too close to the limit, or beyond "
            "it, to be decided by waiting"
        )
    else:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        if need is not None:
            more = f"about {need:,} more {seen.unit} at this rate"
        else:
            more = "too early to say" if favour > -1e-9 else "at this rate it will not pass"
        words = f"{seen.words}; {passed}, {more}"
    return GateReading(
        gate=spec.name,
        kind=spec.kind,
        metric=spec.metric,
        verdict=verdict,
        estimate=seen.estimate,
        limit=spec.limit,
        n=state.n,
        rollback_evidence=against,
        promote_evidence=natural(favour),
        need=need,
        sentence=f"{spec.name}: {words}",
    )


def odds(value: float) -> str:
    """Evidence in words; beyond a million more digits say no more."""
    return figure(value) if value < 1e6 else "over 1,000,000"


def figure(value: float) -> str:
    """A number for people: three digits, no more."""
    if value >= 1e6:
        return f"{value:.0e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share as a percentage for people."""
    return f"{100 * share:.3g} %"

"""From the evidence of one gate to its verdict and the sentence that explains it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from switchover.judge.bursty import discount, is_bursty, log_decisive, log_favour, to_promotion
from switchover.judge.evidence import (
    SHIFTS,
    GateEvidence,
    log_total,
    natural,
)
from switchover.judge.gate import GateSpec
from switchover.judge.rules import Rules
from switchover.judge.verdict import GateReading, Verdict

#: A candidate whose odds of a bad observation are a fifth below the limit's: by the time it
#: would have been passed, one that is not is as good as on the limit.
_NOTICEABLE = 0.25


#: A discount for want of knowledge that people are told of.
_MUCH = 1.2


@dataclass(frozen=True, slots=True)
class Seen:
    """What a kind tells of its stage: an estimate, the same in words, and since the alarm."""

    estimate: float | None
    words: str
    recently: str
    n_min: int
    unit: str = "observations"
    #: What has to be known before anything is judged, and is not.
    missing: str = ""


def read(
    spec: GateSpec, rules: Rules, state: GateEvidence, seen: Seen, rolls_back: bool
) -> GateReading:
    """Judge one gate by its W and G. ``rolls_back`` comes from the sum over all gates."""
    target = -log(rules.alpha_promote)
    against, favour = natural(log_decisive(state)), log_favour(state)
    single = natural(log_total(state.against))
    by_blocks = in_blocks = ""
    if is_bursty(state):
        by_blocks = f"; failures come in bursts, so blocks are judged: evidence {odds(against)}"
        in_blocks = " by whole blocks, as failures come in bursts"
    elif discount(state) > _MUCH:
        by_blocks = f"; {odds(against)} of it counts while little is known of legacy's bursts"
    to_go = to_promotion(state, target)
    short = max(0, seen.n_min - state.n)
    need = short if state.n == 0 else None if to_go is None else max(to_go, short)
    wait = waiting(need, state)
    lasts = f", about {lasting(wait)}" if wait else ""
    decisive = 2.0 * log(len(SHIFTS) / rules.alpha_promote) / _NOTICEABLE**2
    passed = f"evidence {odds(natural(favour))} of {figure(1 / rules.alpha_promote)} to promote"
    passed += in_blocks

    if rolls_back:
        verdict = Verdict.ROLLBACK
        words = f"{seen.recently}; evidence {odds(against)} that the limit is broken"
    elif max(against, single) >= rules.freeze_at:
        verdict = Verdict.HOLD
        words = (
            f"{seen.recently}; frozen, evidence {odds(max(against, single))} that the limit is "
            f"broken (no raise from {figure(rules.freeze_at)}){by_blocks}"
        )
    elif state.n == 0:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        words = f"no data; promotion takes at least {seen.n_min:,} {seen.unit}{seen.missing}"
    elif favour >= target and not short:
        verdict, words = Verdict.PROMOTE, f"{seen.words}; {passed}"
    elif favour >= target:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        words = f"{seen.words}; {short:,} more {seen.unit}{lasts}, make the least number "
        words += f"{seen.n_min:,}"
    elif state.information >= decisive and not in_blocks:
        verdict = Verdict.HOLD
        words = (
            f"{seen.words}; {passed}: after so many it is too close to the limit, or beyond "
            "it, to be decided by waiting"
        )
    else:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
        if need is not None:
            more = f"about {need:,} more {seen.unit} at this rate{lasts}"
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
        wait=wait,
    )


def waiting(need: int | None, state: GateEvidence) -> float | None:
    """How many seconds ``need`` observations take at the stage's present rate."""
    if need is None or need == 0:
        return None if need is None else 0.0
    rate = state.rate
    return None if rate is None else need / rate


def lasting(seconds: float) -> str:
    """A time for people, in its largest unit: ``40 s``, ``12 min``, ``3.5 h``, ``4 days``."""
    for size, unit in ((172_800.0, "days"), (5400.0, "h"), (90.0, "min")):
        if seconds >= size:
            value = seconds / {"days": 86_400.0, "h": 3600.0, "min": 60.0}[unit]
            return f"{value:,.0f} {unit}" if value >= 10.0 else f"{value:.2g} {unit}"
    return f"{seconds:.0f} s"


def odds(value: float) -> str:
    """Evidence in words; beyond a million more digits say no more."""
    return figure(value) if value < 1e6 else "over 1,000,000"


def figure(value: float) -> str:
    """A number for people: three digits, no more."""
    if value >= 1e6:
        return f"{value:.0e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def measured(value: float, seconds: bool) -> str:
    """A value of a metric for people; of a time with its unit."""
    if not seconds:
        return figure(value)
    return f"{figure(1000 * value)} ms" if value < 1 else f"{figure(value)} s"


def percent(share: float) -> str:
    """A share as a percentage for people."""
    return f"{100 * share:.3g} %"

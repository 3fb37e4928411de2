"""Bursty streams: where failures come in bursts, a block and not an observation is the unit.

The likelihood ratios of a proportion take the observations for independent. A queue that
stalls for a minute fails all of that minute's requests at once, and such a minute would weigh as
much as sixty independent failures. Whether a stream is of that kind is told by legacy, whose
quality is known: its dispersion (Pearson's chi-square over its degrees of freedom) is

    D = mean over groups of (b - n p)^2 / (n p (1 - p) (1 + n/N)),

p = (B + 1)/(N + 2) from the past, b bad ones of n in a group of blocks that expects half of one
(or holds five). Above 1.5 (and by two standard errors above 1) the stream is bursty: W only
freezes the ramp, and the bet on whole blocks decides,

    W_b *= 1 + lambda y,   y = x - q0,   or   y = x - r x_legacy   against legacy,

x the bad share of one interval. y is at least -q0 (or -r), so the bet is fair for every lambda
below 1/q0 (or 1/r) whatever the observations inside have to do with each other, as long as
E[y | past] <= 0 (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", 2023). Six lambdas with restarts, as everywhere.

Both bets share one budget: the evidence is 0.8 W + 0.2 W_b, and 0.2 W_b while bursty, so it makes
no difference to the bound when the one gives way to the other. A stream is watched if legacy was
heard by the gate's first block. A gate with ``bursty: true`` bets on blocks only.

Promotion is judged by the mirrored bets,

    G_b *= 1 - lambda y,   lambda < 1/(1 - q0), or < 1 against legacy,

on the stage's intervals: a few lucky ones among bursts look like many good observations. A
``floor`` brings its own bets, as it does to G. They are laid while legacy tells of bursts, so that
a quiet stream takes no time for them.

Before D is known, log W and log G are divided by

    d = (1 + sum)/(1 + groups) + (m - 1) exp(-min(intervals/30, failing/8 + intervals/240)),

``sum`` the numerator of D, m the observations of an interval, which no dispersion can exceed, and
at most 11: a quasi-likelihood (Wedderburn 1974) that presumes the worst, and believes legacy after
it was watched for a while and, to roll back, seen to fail in some intervals, as only these tell how
it fails. (To promote intervals/30 is enough; a legacy that never fails would delay it.) A power
below 1 of an e-value is never above it where it matters, so that this costs some minutes at the
beginning, and a total failure, which is beyond every discount, is found at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, floor, log, log1p, sqrt
from operator import add
from typing import Any

from switchover.judge.block import Tally
from switchover.judge.bound import SURE, wilson
from switchover.judge.evidence import (
    LOG_ZERO,
    GateEvidence,
    log_total,
    observations_to_go,
    raised,
    stake,
)
from switchover.judge.gate import GateSpec
from switchover.judge.rules import Rules

#: Legacy's dispersion from which a stream is bursty.
DISPERSED = 1.5
#: Groups of legacy's blocks before its dispersion is believed, observations before a group, and
#: bad ones expected in it.
_GROUPS = 6
_KNOWN = 50
_EXPECTED = 0.5
#: The dispersion of a stream that nothing is known of, and the intervals in which most of that
#: presumption fades: of all, of those in which legacy fails, and of a legacy that never does.
_WORST = 11.0
_DOUBT, _DOUBT_FAILING, _DOUBT_FLAWLESS = 30.0, 8.0, 240.0
#: The kinds of which bursts are presumed. Requests fail together far more often than they are slow.
_DOUBTED = ("proportion", "relative_rate")
#: So many bad ones end a group, however few were expected.
_MANY = 5
#: The budget's part of the bet on blocks.
_PART = 0.2
#: Bets as parts of the largest fair one, against the candidate and in favour.
_BETS = (0.03, 0.1, 0.25, 0.5, 0.75, 0.95)
_BETTER = (0.05, 0.2, 0.5, 0.95)


def watch(
    spec: GateSpec,
    rules: Rules,
    state: GateEvidence,
    candidate: Tally | None,
    legacy: Tally | None,
    at: float | None,
    *,
    ratio: float | None = None,
    allowed: float = 0.0,
    past: Tally | None = None,
) -> None:
    """Bring the bet on blocks up to date: against ``ratio`` times legacy's share, or ``allowed``.

    Call it before the gate's own bet. Tallies carry ``n`` and ``bad``. ``past`` is what legacy's
    past looks like by the present meaning of bad, where that changes.
    """
    bursts = dict(state.bursts)
    if not bursts:
        heard = legacy is not None and legacy.n > 0
        if not (spec.bursty or heard) or state.blocks > 0:
            return
        bursts = {
            "bets": [LOG_ZERO] * len(_BETS),
            "blocks": 0,
            "spent": 0.0,
            "alone": spec.bursty,
            "doubted": spec.kind in _DOUBTED,
        }
    begins = at is None or "interval" not in bursts
    if _over(rules, bursts, at):
        _close(rules, bursts, ratio, allowed)
        begins = True
    if begins and past is not None:
        bursts["n"], bursts["bad"] = past.n, past.bad
    _collect(bursts, candidate, legacy)
    if at is None:
        _close(rules, bursts, ratio, allowed)
    state.bursts = bursts


def watch_stage(
    rules: Rules,
    state: GateEvidence,
    candidate: Tally | None,
    legacy: Tally | None,
    at: float | None,
    *,
    ratio: float | None = None,
    allowed: float = 0.0,
    floor_bad: int | None = None,
) -> None:
    """The same for the bet in favour, on what was recorded in the stage; call it after that.

    With ``ratio``, ``allowed`` above 0 is a share that is good enough by itself, of the bad ones
    as ``floor_bad`` counts them where that is another count.
    """
    if not is_bursty(state):
        return
    blocks = dict(state.stage_bursts)
    if _over(rules, blocks, at):
        _favour(state.bursts, blocks, ratio, allowed)
    _collect(blocks, candidate, legacy)
    if floor_bad is not None:
        blocks["floor_bad"] = blocks.get("floor_bad", 0) + floor_bad
    if at is None:
        _favour(state.bursts, blocks, ratio, allowed)
    state.stage_bursts = blocks


def is_bursty(state: GateEvidence) -> bool:
    """Whether the bet on blocks decides at present."""
    bursts = state.bursts
    if not bursts or bursts["alone"]:
        return bool(bursts)
    groups = bursts.get("groups", 0)
    if groups < _GROUPS:
        return False
    # The chi-square of independent observations varies by two per group, and by 1/expected more.
    return bool(bursts["squares"] / groups > max(DISPERSED, 1.0 + 2.0 * sqrt(4.0 / groups)))


def discount(state: GateEvidence, *, to_promote: bool = False) -> float:
    """By how much evidence is divided: the dispersion, and what it might be at worst."""
    bursts = state.bursts
    if not bursts or not bursts["doubted"]:
        return 1.0
    known = (1.0 + bursts.get("squares", 0.0)) / (1.0 + bursts.get("groups", 0))
    opened = bursts.get("candidate_n", 0)
    total, squares = bursts.get("sizes", 0) + opened, bursts.get("sizes_squared", 0) + opened**2
    worst = min(_WORST, squares / total) if total else _WORST
    intervals = bursts.get("intervals", 0)
    watched = intervals / _DOUBT
    if not to_promote:
        failing = bursts.get("failing", 0) / _DOUBT_FAILING
        watched = min(watched, failing + intervals / _DOUBT_FLAWLESS)
    return max(1.0, float(known) + (worst - 1.0) * exp(-watched))


def log_decisive(state: GateEvidence) -> float:
    """The logarithm of the evidence that decides on a rollback."""
    single = log_total(state.against)
    if not state.bursts:
        return single
    blocks = log_total(state.bursts["bets"])
    if state.bursts["alone"]:
        return blocks
    blocks += log(_PART)
    if is_bursty(state):
        return blocks
    if single > 0.0:
        single /= discount(state)
    single += log1p(-_PART)
    return max(single, blocks) + log1p(exp(-abs(single - blocks)))


def recent_blocks(state: GateEvidence, rolls_back: bool) -> tuple[int, float, float] | None:
    """Intervals since the evidence by blocks began to build, their mean bad share, and the mean
    that was allowed; None where single observations make the evidence that is told."""
    bursts = state.bursts
    if not bursts or "recent" not in bursts:
        return None
    if not (bursts["alone"] or (rolls_back and is_bursty(state))):
        blocks, single = log_total(bursts["bets"]) + log(_PART), log_total(state.against)
        if single > 0.0 and not is_bursty(state):
            single /= discount(state)
        if blocks <= single + log1p(-_PART):
            return None
    many, share, bars = bursts["recent"]
    return many, share / many, bars / many


def log_favour(state: GateEvidence) -> float:
    """The logarithm of the evidence that decides on a promotion."""
    if _by_blocks(state):
        return log_total(state.stage_bursts.get("bets", ()))
    single = log_total(state.favour)
    return single / discount(state, to_promote=True) if single > 0.0 else single


def to_promotion(state: GateEvidence, target: float) -> int | None:
    """How many more observations until :func:`log_favour` reaches ``target``; None: never so."""
    if not _by_blocks(state):
        return observations_to_go(state, target * discount(state, to_promote=True))
    return observations_to_go(replace(state, favour=state.stage_bursts.get("bets", ())), target)


def _by_blocks(state: GateEvidence) -> bool:
    return bool(state.bursts) and is_bursty(state)


def _over(rules: Rules, kept: dict[str, Any], at: float | None) -> bool:
    """Whether the open interval is; a late look joins the open one, as time does not run back."""
    interval = None if at is None else floor(at / rules.gauge_seconds)
    opened = kept.get("interval")
    if interval is None or opened is None:
        kept["interval"] = interval
        return False
    kept["interval"] = max(interval, opened)
    return bool(interval > opened)


def _collect(kept: dict[str, Any], candidate: Tally | None, legacy: Tally | None) -> None:
    known = kept.get
    if candidate is not None and candidate.n > 0:
        kept["candidate_n"] = known("candidate_n", 0) + candidate.n
        kept["candidate_bad"] = known("candidate_bad", 0) + candidate.bad
    if legacy is not None and legacy.n > 0:
        kept["legacy_n"] = known("legacy_n", 0) + legacy.n
        kept["legacy_bad"] = known("legacy_bad", 0) + legacy.bad


def _favour(
    bursts: Mapping[str, Any], blocks: dict[str, Any], ratio: float | None, allowed: float
) -> None:
    """End the stage's open interval: bet that the candidate's share is a smaller one."""
    ours_n, ours_bad = blocks.pop("candidate_n", 0), blocks.pop("candidate_bad", 0)
    n, bad = blocks.pop("legacy_n", 0), blocks.pop("legacy_bad", 0)
    floor_bad = blocks.pop("floor_bad", ours_bad)
    if not ours_n:
        return
    share, gains = ours_bad / ours_n, []
    if ratio is not None:
        past_n = bursts.get("n", 0)
        bar = bad / n if n else wilson(past_n, bursts["bad"], -SURE) if past_n else 0.0
        gains = [log1p(-bet * (share - ratio * bar)) for bet in _BETTER]
    if allowed > 0.0:
        over = (floor_bad / ours_n - allowed) / (1.0 - allowed)
        gains += [log1p(-bet * over) for bet in _BETTER]
    start = blocks.get("bets") or [-log(len(gains))] * len(gains)
    blocks["bets"] = [old + gain for old, gain in zip(start, gains, strict=True)]


def _close(rules: Rules, bursts: dict[str, Any], ratio: float | None, allowed: float) -> None:
    """End the open interval: bet on the candidate's share, learn from legacy's."""
    ours_n, ours_bad = bursts.pop("candidate_n", 0), bursts.pop("candidate_bad", 0)
    n, bad = bursts.pop("legacy_n", 0), bursts.pop("legacy_bad", 0)
    past_n, past_bad = bursts.get("n", 0), bursts.get("bad", 0)
    low: float | None = allowed
    bar = allowed
    if ratio is not None:
        if n:
            low, bar = ratio, ratio * bad / n
        elif past_n:
            low = bar = ratio * wilson(past_n, past_bad, SURE)
        else:
            low = None
    if ours_n and low is not None:
        laid = min(stake(bursts["blocks"], rules.planned_looks), max(0.0, 1.0 - bursts["spent"]))
        over = (ours_bad / ours_n - bar) / low
        gains = [log1p(bet * over) for bet in _BETS]
        stake_each = log(laid / len(_BETS)) if laid > 0.0 else LOG_ZERO
        bursts["bets"] = list(raised(bursts["bets"], stake_each, gains))
        bursts["blocks"] += 1
        bursts["spent"] += laid
        # When no bet has won since the evidence began to build, it begins anew here: what is told
        # of a rollback is beyond the limit, as all that a bet wins comes from shares above it.
        won = bursts.get("building")
        if won is None or max(won) <= 0.0:
            bursts["building"] = gains
            bursts["recent"] = [1, ours_bad / ours_n, bar]
        else:
            bursts["building"] = list(map(add, won, gains))
            many, share, bars = bursts["recent"]
            bursts["recent"] = [many + 1, share + ours_bad / ours_n, bars + bar]
    if ours_n:
        bursts["sizes"] = bursts.get("sizes", 0) + ours_n
        bursts["sizes_squared"] = bursts.get("sizes_squared", 0) + ours_n * ours_n
    if n:
        bursts["intervals"] = bursts.get("intervals", 0) + 1
        bursts["failing"] = bursts.get("failing", 0) + (bad > 0)
        _learn(bursts, n, bad)


def _learn(bursts: dict[str, Any], n: int, bad: int) -> None:
    """Legacy's past with an interval more, and its dispersion when a group is full."""
    group_n, group_bad = bursts.get("group_n", 0) + n, bursts.get("group_bad", 0) + bad
    past_n, past_bad = bursts.get("n", 0), bursts.get("bad", 0)
    if past_n >= _KNOWN:
        p = (past_bad + 1) / (past_n + 2)
        if group_n * p < _EXPECTED and group_bad < _MANY:
            bursts["group_n"], bursts["group_bad"] = group_n, group_bad
            return
        noise = group_n * p * (1.0 - p) * (1.0 + group_n / past_n)
        square = (group_bad - group_n * p) ** 2 / noise
        bursts["squares"] = bursts.get("squares", 0.0) + square
        bursts["groups"] = bursts.get("groups", 0) + 1
    bursts["n"], bursts["bad"] = past_n + group_n, past_bad + group_bad
    bursts["group_n"] = bursts["group_bad"] = 0

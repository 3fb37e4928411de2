"""A stretch of a window: whether what happened in it is surely beyond a limit.

``needed`` is the logarithm of how sure one has to be. Shares are judged by the mixture of nine
likelihood ratios of :mod:`.evidence`, begun with the stretch: on the limit a non-negative
martingale from 1, which ever reaches e^needed with a chance of e^-needed (Ville 1939). Failures
against legacy's are judged by how the failures of both fall on the two, given their number.
Averages are compared by the normal approximation of that chance, sqrt(2 needed) standard errors. A
count of events is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

from switchover.judge.evidence import SHIFTS, log_total, worse
from switchover.judge.reading import lasting, percent
from switchover.judge.target import (
    SLOTS,
    TargetSpec,
    amount,
    limit_words,
    surely_beyond,
    within,
)
from switchover.judge.target import window as sums_of

#: Slot -> counts, as in :data:`switchover.judge.target.Kept`.
Slots = Mapping[str, Sequence[float]]
_NOTHING = (0, 0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit: the window's, or ``ratio`` times legacy's. Without ``needed`` three standard errors
    are enough. A ``sudden`` break is looked for from every slot on, else in the whole window."""

    window: TargetSpec
    ratio: float | None = None
    needed: float | None = None
    sudden: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted in the last ``seconds`` of a window, of the watched system and of legacy."""

    seconds: float
    ours: Sequence[float]
    theirs: Sequence[float]


def whole_of(rule: Rule, ours: Slots, theirs: Slots, last: int) -> Stretch:
    """All of the window that ends with the slot ``last``."""
    return Stretch(rule.window.over, sums_of(ours, last), sums_of(theirs, last))


def shorter(rule: Rule, ours: Slots, theirs: Slots, last: int) -> Iterator[Stretch]:
    """Where a sudden break is looked for: what ends with the slot ``last``, from the shortest on,
    without those in which nothing was counted that was not in the one before."""
    if not rule.sudden:
        return
    window = rule.window
    mine, legacys = [0.0] * 5, [0.0] * 5
    for count in range(1, SLOTS):
        place = str(last - count + 1)
        if place not in ours and place not in theirs:
            continue
        mine = [old + new for old, new in zip(mine, ours.get(place, _NOTHING), strict=True)]
        legacys = [old + new for old, new in zip(legacys, theirs.get(place, _NOTHING), strict=True)]
        yield Stretch(count * window.width, mine, legacys)


def hopeless(rule: Rule, whole: Stretch) -> bool:
    """Whether no stretch of the window ``whole`` can break the limit, as even all of it counts too
    little; so most looks need not go through them."""
    window, (n, _, bad, _, _) = rule.window, whole.ours
    if n < window.minimum or (rule.ratio is not None and whole.theirs[0] < window.minimum):
        return True
    if window.kind == "mean":
        return False
    if window.kind == "count":
        return bool(bad <= window.alert)
    # One of `minimum` observations would need more than its allowed share of them.
    return bool(bad <= (0.0 if rule.ratio is not None else _allowed(window) * window.minimum))


def enough(rule: Rule, stretch: Stretch) -> bool:
    """Whether there is enough to judge by."""
    return not lacking(rule, stretch, "")


def lacking(rule: Rule, stretch: Stretch, system: str) -> str:
    """What is missing to judge by, in words."""
    sides = [(system, stretch.ours), ("legacy", stretch.theirs)][: 1 + (rule.ratio is not None)]
    for name, (n, _, _, total, squares) in sides:
        if n < rule.window.minimum:
            return f"{int(n):,} of {rule.window.minimum:,} observations of {name}"
        if rule.window.kind == "mean" and squares * n < total * total * (1.0 - 1e-9):
            return "the source does not tell how values spread"
    return ""


def surely(rule: Rule, stretch: Stretch) -> bool:
    """Whether the limit is surely broken."""
    window, ours, theirs = rule.window, stretch.ours, stretch.theirs
    if not enough(rule, stretch):
        return False
    if rule.needed is None or window.kind == "count":
        return surely_beyond(window, ours)
    if window.kind == "mean":
        return _excess(rule, stretch) > sqrt(2.0 * rule.needed)
    n, bad, allowed = ours[0], ours[2], _allowed(window)
    if rule.ratio is not None:
        n, bad = ours[2] + theirs[2], ours[2]
        allowed = rule.ratio * ours[0] / (rule.ratio * ours[0] + theirs[0])
    if not 0.0 < allowed < 1.0 or bad <= n * allowed:
        return False
    return log_total(worse(n, bad, allowed)) - log(len(SHIFTS)) >= rule.needed


def keeps(rule: Rule, stretch: Stretch) -> bool:
    """Whether the limit is kept, by the plain estimate."""
    if not enough(rule, stretch):
        return False
    if rule.ratio is None:
        return within(rule.window, stretch.ours, rule.window.alert)
    return _share(rule, stretch.ours) <= rule.ratio * _share(rule, stretch.theirs)


def value(rule: Rule, stretch: Stretch) -> float | None:
    """In the metric's unit (of quantiles the share beyond the limit), or how many times legacy's;
    None where that can't be told."""
    window, ours = rule.window, stretch.ours
    if not enough(rule, stretch):
        return None
    if rule.ratio is not None:
        other = _share(rule, stretch.theirs)
        return _share(rule, ours) / other if other else None
    if window.kind in ("mean", "count"):
        return ours[3] / ours[0] if window.kind == "mean" else ours[2]
    bad = ours[2] / ours[0]
    return 1.0 - bad if window.kind == "proportion" and window.at_least else bad


def words(rule: Rule, stretch: Stretch, system: str) -> str:
    """What was seen, against what is allowed, in which time."""
    last = f"in the last {lasting(stretch.seconds)}"
    if missing := lacking(rule, stretch, system):
        return f"{rule.window.metric} of {system}: no data, {missing} {last}"
    seen = ", ".join(_seen(rule, stretch))
    what = f"{rule.window.metric} of {system}: {seen}, {last}"
    return f"{what} ({int(stretch.ours[0]):,} observations)"


def _seen(rule: Rule, stretch: Stretch) -> Iterator[str]:
    window, found = rule.window, value(rule, stretch)
    if rule.ratio is not None:
        times = "beyond all of" if found is None else f"{found:.3g} times"
        yield f"{times} legacy's {'failures' if window.kind == 'proportion' else 'average'}"
        yield f"at most {rule.ratio:g} times allowed"
    elif window.kind == "quantile":
        yield f"{percent(found or 0.0)} above {amount(window, window.alert)}"
        yield f"{percent(1.0 - window.quantile)} allowed"
    else:
        yield amount(window, found or 0.0)
        yield f"{limit_words(window, window.alert)} allowed"


def _allowed(window: TargetSpec) -> float:
    """The share of bad observations that is allowed, or of those beyond a quantile's limit."""
    if window.kind == "proportion":
        return 1.0 - window.alert if window.at_least else window.alert
    return 1.0 - window.quantile


def _excess(rule: Rule, stretch: Stretch) -> float:
    """How many standard errors an average lies beyond its limit."""
    mean, error = _mean(stretch.ours)
    if rule.ratio is None:
        beyond = mean - rule.window.alert
        beyond = -beyond if rule.window.at_least else beyond
    else:
        other, unsure = _mean(stretch.theirs)
        beyond = mean - rule.ratio * other
        error = sqrt(error * error + (rule.ratio * unsure) ** 2)
    return beyond / error if error > 0.0 else inf if beyond > 0.0 else -inf


def _mean(sums: Sequence[float]) -> tuple[float, float]:
    n, _, _, total, squares = sums
    mean = total / n
    return mean, sqrt(max(0.0, squares / n - mean * mean) / n)


def _share(rule: Rule, sums: Sequence[float]) -> float:
    """What is compared with legacy's: the average, or the share of failures."""
    return (sums[3] if rule.window.kind == "mean" else sums[2]) / sums[0]

"""Targets: a metric against its target and its alert threshold, over a rolling window.

A gate asks once and for ever whether the candidate is bad; a target asks whether whoever serves
does well now. So the window forgets, and no error budget is spent: an alert moves no traffic.

Kept are counts in slots of a fifteenth of the window, so memory is constant. Everything else is
worked out from them when somebody looks, the hysteresis included: an alert is raised when the
window was *surely* beyond the threshold at every slot of the last ``after`` seconds, and cleared
when its plain estimate was within it at every one of them. Surely means by three standard errors:
the Wilson bound of a share (Wilson 1927), the normal bound of a mean; a count of events is exact.
On the threshold itself that errs in one window of 740, off it far less. Below the least number of
observations there is no data, which neither raises nor clears anything, and is never fine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from typing import Any, Literal

from switchover.judge.block import Block
from switchover.judge.bound import SURE, wilson
from switchover.judge.reading import lasting, measured, percent
from switchover.judge.sketch import HIGHEST, above

#: Slots of a window.
SLOTS = 15

TargetKind = Literal["proportion", "quantile", "mean", "count"]
#: How a window stands; ``alert`` lasts until it is cleared.
Level = Literal["met", "missed", "beyond", "alert", "no data"]
#: System -> slot -> observations, those beyond target and threshold (of a mean: those that are no
#: finite number, and 0), sum and sum of squares.
Kept = Mapping[str, Mapping[str, Sequence[float]]]
_NOTHING = (0, 0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A compiled target. Limits are in the metric's unit; ``at_least`` tells their direction.

    ``over`` and ``after`` in seconds; ``minimum`` observations make a window worth reading.
    """

    name: str
    metric: str
    kind: TargetKind
    target: float
    alert: float
    at_least: bool
    quantile: float = 0.95
    over: float = 900.0
    after: float = 300.0
    minimum: int = 30
    hold: bool = False
    seconds: bool = False

    @property
    def width(self) -> float:
        """Seconds of one slot."""
        return self.over / SLOTS

    @property
    def steps(self) -> int:
        """Slots that a change has to last; one more, as the present one has only begun."""
        return ceil(self.after / self.width - 1e-9) + 1 if self.after > 0 else 0


@dataclass(frozen=True, slots=True)
class TargetReading:
    """How one system stands to one target. ``value`` is in the metric's unit, for quantiles the
    share beyond the threshold; ``serves`` is false for who answers in the shadow only.
    ``raises`` and ``clears`` say that the window allows it for long enough."""

    target: str
    metric: str
    system: str
    level: Level
    n: int
    value: float | None
    sentence: str
    serves: bool
    raises: bool
    clears: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def observe(spec: TargetSpec, kept: Kept, blocks: Iterable[Block], now: float) -> Kept:
    """``kept`` with the blocks of the target's metric, without slots that no window reaches."""
    newest = int(now // spec.width)
    oldest = newest - SLOTS + 1 - spec.steps
    slots = {
        system: {key: list(counts) for key, counts in known.items() if int(key) >= oldest}
        for system, known in kept.items()
    }
    for block in blocks:
        # A recorder whose clock is ahead still speaks of what has happened.
        place = min(int(block.start // spec.width), newest)
        if block.metric == spec.metric and block.n and place >= oldest:
            counts = slots.setdefault(block.system, {}).setdefault(str(place), list(_NOTHING))
            missed, beyond = _beyond(spec, block)
            fresh = (_counted(spec, block), missed, beyond, block.total, block.total_squares)
            counts[:] = [old + new for old, new in zip(counts, fresh, strict=True)]
    return {system: known for system, known in slots.items() if known}


def read(
    spec: TargetSpec, kept: Kept, system: str, now: float, *, serves: bool, alerted: bool
) -> TargetReading:
    """Where ``system`` stands at ``now``; ``alerted`` while an alert on it is open."""
    slots = kept.get(system, {})
    newest = int(now // spec.width)
    windows = [window(slots, newest - step) for step in range(spec.steps + 1)]
    sums = windows[0]
    n = int(sums[0])
    enough = [each[0] >= spec.minimum for each in windows]
    raises = all(enough) and all(surely_beyond(spec, each) for each in windows)
    clears = all(enough) and all(within(spec, each, spec.alert) for each in windows)
    level: Level
    if alerted or (raises and serves):
        level = "alert"
    elif not enough[0]:
        level = "no data"
    elif surely_beyond(spec, sums):
        level = "beyond"
    else:
        level = "met" if within(spec, sums, spec.target) else "missed"
    return TargetReading(
        target=spec.name,
        metric=spec.metric,
        system=system,
        level=level,
        n=n,
        value=_value(spec, sums) if n else None,
        sentence=_sentence(spec, sums, system),
        serves=serves,
        raises=raises,
        clears=clears,
    )


def limit_words(spec: TargetSpec, limit: float) -> str:
    """A target or threshold for people: ``at least 95 %``, ``p95 at most 2 s``."""
    direction = "at least" if spec.at_least else "at most"
    name = f"p{100 * spec.quantile:g} " if spec.kind == "quantile" else ""
    return f"{name}{direction} {amount(spec, limit)}"


def _beyond(spec: TargetSpec, block: Block) -> tuple[int, int]:
    if spec.kind == "quantile":
        return above(block.sketch, spec.target), above(block.sketch, spec.alert)
    if spec.kind == "mean":
        return block.sketch.get(HIGHEST, 0), 0
    return block.bad, block.bad


def _counted(spec: TargetSpec, block: Block) -> int:
    """The observations of the target's form: sums leave out what is no finite number, and numbers
    are neither good nor bad."""
    if spec.kind == "mean":
        return block.n - block.sketch.get(HIGHEST, 0)
    if spec.kind in ("proportion", "count"):
        return max(0, block.n - sum(block.sketch.values()))
    return block.n


def window(slots: Mapping[str, Sequence[float]], last: int) -> list[float]:
    """What is counted in the window that ends with the slot ``last``; columns as in ``Kept``."""
    if not slots:
        return list(_NOTHING)
    known = [counts for place, counts in slots.items() if last - SLOTS < int(place) <= last]
    return [sum(column) for column in zip(_NOTHING, *known, strict=True)]


def _bad_limit(spec: TargetSpec, limit: float) -> float:
    return 1.0 - limit if spec.at_least else limit


def surely_beyond(spec: TargetSpec, sums: Sequence[float]) -> bool:
    """Whether a window is beyond the threshold by three standard errors."""
    n, _, beyond, total, squares = sums
    if n <= 0:
        return False
    if spec.kind == "count":
        return beyond > spec.alert
    if spec.kind == "mean":
        mean = total / n
        error = SURE * sqrt(max(0.0, squares / n - mean * mean) / n)
        return mean + error < spec.alert if spec.at_least else mean - error > spec.alert
    allowed = 1.0 - spec.quantile if spec.kind == "quantile" else _bad_limit(spec, spec.alert)
    return wilson(int(n), int(beyond), -SURE) > allowed


def within(spec: TargetSpec, sums: Sequence[float], limit: float) -> bool:
    """Whether a window keeps ``limit``, by its plain estimate."""
    n, missed, beyond, total, _ = sums
    if n <= 0:
        return False
    if spec.kind == "mean":
        if missed:
            return False
        return total / n >= limit if spec.at_least else total / n <= limit
    if spec.kind == "count":
        return beyond <= limit
    if spec.kind == "quantile":
        return (beyond if limit == spec.alert else missed) / n <= 1.0 - spec.quantile + 1e-12
    return beyond / n <= _bad_limit(spec, limit) + 1e-12


def _value(spec: TargetSpec, sums: Sequence[float]) -> float:
    n, _, beyond, total, _ = sums
    if spec.kind == "mean":
        return total / n
    if spec.kind == "count":
        return beyond
    return 1.0 - beyond / n if spec.kind == "proportion" and spec.at_least else beyond / n


def _sentence(spec: TargetSpec, sums: Sequence[float], system: str) -> str:
    n, last = int(sums[0]), lasting(spec.over)
    what = f"{spec.name} of {system}"
    if n < spec.minimum:
        return f"{what}: no data, {n:,} of {spec.minimum:,} observations in the last {last}"
    value = _value(spec, sums)
    if spec.kind == "quantile":
        seen = f"{percent(value)} above {amount(spec, spec.alert)}, {percent(1 - spec.quantile)} "
        seen += "allowed,"
    else:
        seen = amount(spec, value)
    limits = f"target {limit_words(spec, spec.target)}, alert beyond {amount(spec, spec.alert)}"
    return f"{what}: {seen} in the last {last} ({n:,} observations; {limits})"


def amount(spec: TargetSpec, value: float) -> str:
    """A value of the metric for people, with its unit."""
    if spec.kind == "proportion":
        return percent(value)
    if spec.kind == "count":
        return f"{value:g} events" if value != 1 else "1 event"
    return measured(value, spec.seconds)

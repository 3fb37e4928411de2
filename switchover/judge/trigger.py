"""Triggers: something of the candidate is broken now, surely, and for how long.

The windows are those of :mod:`.target`; what differs is how sure one has to be. AMBER moves no
traffic, so three standard errors of the whole window will do, as for targets.

RED rolls back, and is looked at for months. Every slot begins a bet that the limit is broken
(:mod:`.stretch`), and it is *surely* broken when one of the bets that began within the window
stands at :data:`HORIZON` / slot / :data:`ALPHA`; so a sudden failure need not fill its share of the
window first. Each bet gets there with a chance of ``ALPHA`` times the slot over the horizon on the
limit, and their chances add up (Shin, Ramdas and Rinaldo, "E-detectors", 2023): **a candidate that
keeps the limit is rolled back by one RED trigger with a chance of 1 % in a year of looking, at
most**, however often one looks. That takes observations to be independent; averages are compared by
an approximation that is good from some hundred observations on.

A probe is broken from its first failure to its next success, measured between results, never from
one result to now. It is not known once no result has come for three of its turns (three minutes at
least).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from math import inf, log
from typing import Any, Literal

from switchover.judge.reading import lasting
from switchover.judge.stretch import (
    Rule,
    Slots,
    Stretch,
    enough,
    hopeless,
    keeps,
    shorter,
    surely,
    value,
    whole_of,
    words,
)
from switchover.judge.target import Kept, TargetSpec

Color = Literal["red", "amber"]
Level = Literal["quiet", "beyond", "fires", "no data"]

#: A candidate on its limit is rolled back by a trigger with this chance in so many seconds.
ALPHA, HORIZON = 0.01, 365 * 86_400.0
#: What three standard errors are as the logarithm of a chance; of AMBER against legacy.
_AMBER = log(740.0)
#: A probe's results are missing after so many of its turns, and not before so many seconds: without
#: a resident guard it is asked once a minute.
_TURNS, _STALE = 3.0, 180.0


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """A compiled trigger: a ``window`` on a metric, where ``ratio`` times legacy's is the limit if
    it is given, or a probe that is asked ``every`` so many seconds and may take ``timeout``.

    It fires once broken for ``after`` seconds; with ``unread_fires`` also once nothing was known of
    it for ``patience`` seconds."""

    name: str
    color: Color
    window: TargetSpec | None = None
    ratio: float | None = None
    after: float = 0.0
    every: float = 30.0
    timeout: float = 10.0
    patience: float = 600.0
    unread_fires: bool = False

    @property
    def metric(self) -> TargetSpec:
        """Its window; raises ``ValueError`` where it asks a probe."""
        if self.window is None:
            raise ValueError(f"the trigger {self.name} asks a probe")
        return self.window

    @property
    def rule(self) -> Rule:
        """How sure it has to be of what."""
        window = self.metric
        if self.color == "red":
            needed = log(HORIZON / window.width / ALPHA)
            return Rule(window, self.ratio, needed, sudden=window.kind != "count")
        return Rule(window, self.ratio, None if self.ratio is None else _AMBER)

    @property
    def stale(self) -> float:
        """Seconds after which a probe's last result says nothing any more."""
        return max(_STALE, _TURNS * (self.every + self.timeout))


@dataclass(frozen=True, slots=True)
class TriggerReading:
    """How a trigger stands. ``value`` is in the metric's unit, or how many times legacy's.
    ``raises`` says that it is broken for long enough, ``clears`` that it is well for so long, where
    it was alerted; ``unread`` for how many seconds nothing is known."""

    trigger: str
    color: Color
    level: Level
    sentence: str
    n: int = 0
    value: float | None = None
    raises: bool = False
    clears: bool = False
    unread: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_metric(
    spec: TriggerSpec, kept: Kept, system: str, now: float, *, since: float, alerted: bool = False
) -> TriggerReading:
    """Where ``system`` stands at ``now``; nothing is known before ``since``, when it began."""
    rule, window = spec.rule, spec.metric
    ours, theirs = kept.get(system, {}), kept.get("legacy", {})
    newest = int(now // window.width)
    whole = whole_of(rule, ours, theirs, newest)
    # One look after the other, as most of them end with the first.
    looks = [newest - step for step in range(window.steps + 1)]
    worst = _worst(rule, whole, ours, theirs, newest)
    raises = worst is not None and all(
        _worst(rule, whole_of(rule, ours, theirs, at), ours, theirs, at) for at in looks[1:]
    )
    # Asked for only where there is something to clear: it takes a look at every slot.
    clears = (
        alerted
        and worst is None
        and all(
            keeps(rule, each) and (at == newest or _worst(rule, each, ours, theirs, at) is None)
            for at in looks
            for each in (whole_of(rule, ours, theirs, at),)
        )
    )
    known, unread = enough(rule, whole), 0.0
    if not known:
        last = max((int(key) + 1 for key, sums in ours.items() if sums[0]), default=0)
        unread = max(0.0, now - max(since, last * window.width))
    raises = raises or (spec.unread_fires and unread > spec.patience)
    level: Level = "beyond" if worst else "quiet" if known else "no data"
    shown = worst or whole
    return TriggerReading(
        trigger=spec.name,
        color=spec.color,
        level="fires" if raises or alerted else level,
        sentence=f"{spec.name}: {words(rule, shown, system)}",
        n=int(shown.ours[0]),
        value=value(rule, shown),
        raises=raises,
        clears=clears,
        unread=unread,
    )


def _worst(rule: Rule, whole: Stretch, ours: Slots, theirs: Slots, last: int) -> Stretch | None:
    """A stretch up to the slot ``last`` in which the limit was surely broken: all of the window,
    or else the shortest one."""
    if hopeless(rule, whole):
        return None
    each = chain((whole,), shorter(rule, ours, theirs, last))
    return next((stretch for stretch in each if surely(rule, stretch)), None)


def answered(
    spec: TriggerSpec, known: Mapping[str, Any], at: float, ok: bool | None, said: str
) -> dict[str, Any]:
    """What is known of a probe after a result of ``at``; ``ok`` is None where it could not be
    asked, which says nothing about what it asks for. An older result changes nothing."""
    if ok is None:
        return {**known, "error": said}
    if at <= known.get("at", -inf):
        return dict(known)
    goes_on = known.get("ok") is ok and at - known["at"] <= spec.stale
    began = known["began"] if goes_on else at
    return {"at": at, "ok": ok, "said": said, "began": began, "asked": known.get("asked", at)}


def read_probe(
    spec: TriggerSpec, known: Mapping[str, Any], now: float, *, since: float, alerted: bool = False
) -> TriggerReading:
    """Where a probe stands at ``now``, by its results up to then."""
    at = known.get("at", -inf)
    if now - at > spec.stale:
        unread = max(0.0, now - max(at, since))
        raises = spec.unread_fires and unread > spec.patience
        why = known.get("error") or "no result"
        said = f"{spec.name}: nothing is known for {lasting(unread)}: {why}"
        level: Level = "fires" if raises or alerted else "no data"
        return TriggerReading(spec.name, spec.color, level, said, raises=raises, unread=unread)
    lasts = at - known["began"]
    note = f" ({known['error']})" if known.get("error") else ""
    if known["ok"]:
        said = f"{spec.name}: {known['said']}{note}"
        level = "fires" if alerted else "quiet"
        clears = alerted and lasts >= spec.after
        return TriggerReading(spec.name, spec.color, level, said, clears=clears)
    said = f"{spec.name}: down for {lasting(lasts)}: {known['said']}{note}"
    raises = lasts >= spec.after
    level = "fires" if raises or alerted else "beyond"
    return TriggerReading(spec.name, spec.color, level, said, raises=raises)


def due(spec: TriggerSpec, known: Mapping[str, Any], now: float) -> bool:
    """Whether a probe's turn has come; one that somebody asks now is not asked twice."""
    return bool(now - known.get("asked", -inf) >= spec.every)

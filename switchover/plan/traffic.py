"""Traffic as people write it, and what of it each system sees in a stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from switchover.judge.expected import Flow
from switchover.plan.stages import Stage

_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*/\s*(s|min|m|h|d)")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_HOUR, _DAY = 3600.0, 24


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests per second over both systems, on average over a day.

    ``hours`` are factors on it, one for each hour of the day, and empty for constant traffic;
    ``begins`` is the hour at which the first stage with traffic begins. ``own`` are observations
    per second of a system (legacy, candidate, pair) that do not follow from the split.
    """

    rate: float
    hours: tuple[float, ...] = ()
    begins: float = 0.0
    own: Mapping[str, float] = field(default_factory=dict)

    def amount(self, start: float, seconds: float) -> float:
        """How many seconds of average traffic come in ``seconds`` from ``start``."""
        if not self.hours:
            return seconds
        days, rest = divmod(seconds, _DAY * _HOUR)
        total, at = days * sum(self.hours) * _HOUR, start
        while rest > 1e-6:
            step = min(rest, self._to_next_hour(at))
            total += step * self._factor(at)
            at, rest = at + step, rest - step
        return total

    def lasts(self, start: float, amount: float) -> float:
        """How long ``amount`` seconds of average traffic take from ``start``."""
        if not self.hours or amount == float("inf"):
            return amount
        days, left = divmod(amount, sum(self.hours) * _HOUR)
        at = start
        while left > 1e-6:
            step, factor = self._to_next_hour(at), self._factor(at)
            if factor * step >= left:
                at += left / factor
                break
            at, left = at + step, left - factor * step
        return days * _DAY * _HOUR + at - start

    def flow(self, stage: Stage, past: Mapping[str, float]) -> Flow:
        """What a stage brings: those who are served, and the shadow calls to the other side."""
        split, shadow = stage.split / 10_000, stage.shadow / 10_000
        rates = {
            "legacy": self.rate * ((1.0 - split) + split * shadow),
            "candidate": self.rate * (split + (1.0 - split) * shadow),
            "pair": self.rate * shadow,
        } | dict(self.own)
        return Flow(**rates, requests=self.rate, split=split, past=dict(past))

    def _factor(self, at: float) -> float:
        return self.hours[int(self.begins + at / _HOUR + 1e-9) % _DAY]

    def _to_next_hour(self, at: float) -> float:
        gone = (self.begins * _HOUR + at) % _HOUR
        return _HOUR - gone if _HOUR - gone > 1e-6 else _HOUR


def rate(text: str, *, none: bool = False) -> float:
    """Per second, of ``5/s``, ``90/min``, ``20/h`` or ``1000/d``; of ``0/s`` too where there may
    be ``none``. Raises ``ValueError``."""
    found = _RATE.fullmatch(text.strip())
    if found is None or not (float(found[1]) > 0 or none):
        raise ValueError(f"{text!r} is not a rate; write one like 5/s, 90/min or 20/h")
    return float(found[1]) / _SECONDS[found[2]]


def hours(text: str) -> tuple[float, ...]:
    """Factors for the hours of a day, of ``0=0.2,7=1.5,22=0.5``: each holds until the next one,
    the last until the first. Scaled to an average of 1; raises ``ValueError``."""
    marks: dict[int, float] = {}
    for part in text.split(","):
        mark, _, share = part.partition("=")
        try:
            marks[int(mark)] = float(share)
        except ValueError:
            raise ValueError(f"{part!r} is not HOUR=FACTOR; write 0=0.2,7=1.5,22=0.5") from None
    if not all(0 <= hour < _DAY and 0 <= factor < 1e6 for hour, factor in marks.items()):
        raise ValueError(f"{text!r}: hours are 0 to 23 and factors from 0")
    now, factors = marks[max(marks)], []
    for place in range(_DAY):
        now = marks.get(place, now)
        factors.append(now)
    if sum(factors) <= 0:
        raise ValueError(f"{text!r}: without any traffic nothing can be decided")
    return tuple(factor * _DAY / sum(factors) for factor in factors)

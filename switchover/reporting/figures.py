"""Numbers for people: short, with their unit, never more precise than they are."""

from __future__ import annotations

from datetime import UTC, datetime

from switchover.plan.catalogue import METRICS


def metric_value(value: float | None, kind: str, metric: str) -> str:
    """An estimate or a limit of a gate, in the unit that its kind has."""
    if value is None:
        return "–"
    if kind == "proportion":
        return f"{_short(100 * value)} % bad"
    if kind == "memory":
        return f"{100 * value:+.3g} %"
    if kind in ("relative_rate", "relative_quantile"):
        return f"{_short(value)} ×"
    if kind == "paired":
        return f"{100 * value:+.3g} points"
    if kind in ("drift", "sample_ratio"):
        return f"{_short(100 * value)} % apart"
    known = METRICS.get(metric)
    # Plans hold quantiles to durations only.
    if kind == "quantile" or (kind == "mean" and known is not None and known.unit == "seconds"):
        return seconds(value)
    return _short(value)


def seconds(value: float) -> str:
    """A short time: ``850 µs``, ``183 ms``, ``2.4 s``."""
    if 0 < value < 0.001:
        return f"{_short(value * 1e6)} µs"
    return f"{_short(value * 1e3)} ms" if value < 1 else f"{_short(value)} s"


def duration(value: float) -> str:
    """A long time in its largest units: ``24 h``, ``1 h 30 min``, ``45 s``; ``–`` for none."""
    if value <= 0:
        return "–"
    if value < 60:
        return seconds(value)
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest if not hours else 0, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def evidence(value: float) -> str:
    """An e-value: ``< 0.01``, ``0.4``, ``37``, ``> 1,000,000``. More digits would say no more."""
    if value < 0.01:
        return "< 0.01"
    return _short(value) if value < 1e6 else "> 1,000,000"


def moment(at: float) -> str:
    """A moment to the minute, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

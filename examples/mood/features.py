"""Features of a stretch of hourly activity: level, rhythm and sleep.

Rhythm measures follow non-parametric circadian analysis (Witting et al., 1990): interdaily
stability, intradaily variability, M10, L5 and relative amplitude. The same function serves
a week (forecast) and three days (current state), one row or many.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NAMES = (
    "mean",
    "deviation",
    "share_idle",
    "last_day",
    "last_day_ratio",
    "trend",
    "day_minimum",
    "day_spread",
    "night",
    "morning",
    "afternoon",
    "evening",
    "peak_hour_level",
    "m10",
    "l5",
    "m10_start",
    "l5_start",
    "relative_amplitude",
    "interdaily_stability",
    "intradaily_variability",
    "sleep_mean",
    "sleep_spread",
    "sleep_last",
    "sleep_minimum",
)
_CLOCK = np.arange(24)
_TINY = 1e-9


def extract(activity: Floats, sleep: Floats, end_hour: NDArray[np.int64]) -> Floats:
    """(n, 24 d) hourly means, (n, d) hours asleep, (n,) clock hour of the end -> (n, 24)."""
    n, days = sleep.shape
    by_day = activity.reshape(n, days, 24)
    daily = by_day.mean(axis=2)
    mean = daily.mean(axis=1)
    total = activity - mean[:, None]
    variance = np.square(total).mean(axis=1)
    profile = np.take_along_axis(by_day.mean(axis=1), (_CLOCK - end_hour[:, None]) % 24, axis=1)
    parts = profile.reshape(n, 4, 6).mean(axis=2)
    m10, m10_start = _extreme(profile, 10, highest=True)
    l5, l5_start = _extreme(profile, 5, highest=False)
    steps = np.square(activity[:, 1:] - activity[:, :-1]).mean(axis=1)
    trend_weights = np.arange(days) - (days - 1) / 2
    columns = (
        mean,
        np.sqrt(variance),
        (activity < 10.0).mean(axis=1),
        daily[:, -1],
        daily[:, -1] / (mean + _TINY),
        daily @ trend_weights / (np.square(trend_weights).sum() * (mean + _TINY)),
        daily.min(axis=1),
        daily.std(axis=1),
        parts[:, 0],
        parts[:, 1],
        parts[:, 2],
        parts[:, 3],
        profile.max(axis=1),
        m10,
        l5,
        m10_start,
        l5_start,
        (m10 - l5) / (m10 + l5 + _TINY),
        np.square(profile - mean[:, None]).mean(axis=1) / (variance + _TINY),
        steps / (variance + _TINY),
        sleep.mean(axis=1),
        sleep.std(axis=1),
        sleep[:, -1],
        sleep.min(axis=1),
    )
    return np.stack(columns, axis=1)


def _extreme(profile: Floats, hours: int, *, highest: bool) -> tuple[Floats, Floats]:
    """Mean and start of the most (or least) active ``hours`` in a row, around midnight too."""
    around = np.concatenate((profile, profile[:, : hours - 1]), axis=1)
    sums = np.cumsum(around, axis=1)
    runs = sums[:, hours - 1 :].copy()
    runs[:, 1:] -= sums[:, :-hours]
    start = runs.argmax(axis=1) if highest else runs.argmin(axis=1)
    return runs[np.arange(len(runs)), start] / hours, start.astype(np.float64)

"""Cuts recordings into weeks: what one request holds, and what happened the day after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from examples.mood.actigraphy import Counts, Recording

DAYS = 7
HOURS = DAYS * 24
#: A day counts as worn when this many of its hours show at least this mean count.
WORN_HOURS, WORN_LEVEL = 6, 25.0
#: The share of missing hours that a week may have; they are filled by the hour's mean.
MISSING = 0.05


@dataclass(frozen=True, eq=False)
class Weeks:
    """``n`` weeks: hourly means (n, 168), hours asleep per day (n, 7), what followed (n,)."""

    subject: list[str]
    depressed: NDArray[np.bool_]
    end: list[datetime]
    activity: Counts
    sleep: Counts
    next_day: Counts

    @property
    def end_hour(self) -> NDArray[np.int64]:
        """The clock hour at which each week ends."""
        return np.array([end.hour for end in self.end], dtype=np.int64)

    def requests(self) -> list[dict[str, object]]:
        """The JSON documents that ``POST /predict`` takes. One week is one patient here:
        the routing key is the subject and week, so that a split has many keys to divide."""
        return [
            {
                "subject": f"{self.subject[row]}-w{row}",
                "window_end": self.end[row].replace(tzinfo=UTC).isoformat(),
                "activity": [round(value, 1) for value in self.activity[row].tolist()],
                "sleep": [round(value, 2) for value in self.sleep[row].tolist()],
            }
            for row in range(len(self.subject))
        ]


def cut(recordings: Sequence[Recording], *, step_hours: int = 12) -> Weeks:
    """Every week that was worn throughout and is followed by a worn day."""
    subjects: list[str] = []
    depressed: list[bool] = []
    ends: list[datetime] = []
    activity: list[Counts] = []
    sleep: list[Counts] = []
    following: list[float] = []
    for recording in recordings:
        start, hourly, asleep = _hours(recording)
        for end in range(HOURS, hourly.size - 24 + 1, step_hours):
            window, after = hourly[end - HOURS : end], hourly[end : end + 24]
            if not (_worn(window) and _worn(after)):
                continue
            subjects.append(recording.subject)
            depressed.append(recording.group == "condition")
            ends.append(start + timedelta(hours=end))
            activity.append(_filled(window))
            sleep.append(asleep[end - HOURS : end].reshape(DAYS, 24).sum(axis=1))
            following.append(float(np.nanmean(after)))
    return Weeks(
        subjects,
        np.array(depressed, dtype=bool),
        ends,
        np.array(activity).reshape(-1, HOURS),
        np.array(sleep).reshape(-1, DAYS),
        np.array(following),
    )


def _hours(recording: Recording) -> tuple[datetime, Counts, Counts]:
    """Start (on the hour), mean count of each whole hour, and the share of it asleep.

    A minute is asleep when the mean of the 31 minutes around it stays under 12 % of the
    recording's mean: long quiet bouts, not single zeros.
    """
    skip = -recording.start.minute % 60
    minutes = recording.counts[skip : skip + (recording.counts.size - skip) // 60 * 60]
    start = recording.start.replace(second=0, microsecond=0) + timedelta(minutes=skip)
    read = ~np.isnan(minutes)
    known = np.where(read, minutes, 0.0)
    shape = (-1, 60)
    present = read.reshape(shape).sum(axis=1)
    total = known.reshape(shape).sum(axis=1)
    hourly = np.divide(total, present, out=np.full(present.size, np.nan), where=present >= 30)
    if minutes.size < 31:
        return start, hourly, np.zeros(hourly.size)
    around = np.convolve(known, np.ones(31) / 31, mode="same")
    quiet = (around < 0.12 * known.mean()) & read
    return start, hourly, quiet.reshape(shape).mean(axis=1)


def _worn(hours: Counts) -> bool:
    if np.isnan(hours).mean() > MISSING:
        return False
    active = (np.nan_to_num(hours) >= WORN_LEVEL).reshape(-1, 24).sum(axis=1)
    return bool((active >= WORN_HOURS).all())


def _filled(window: Counts) -> Counts:
    """Missing hours take the mean of that clock hour over the other days."""
    missing = np.isnan(window)
    if not missing.any():
        return window
    days = window.reshape(DAYS, 24)
    known = np.where(np.isnan(days), 0.0, days).sum(axis=0)
    profile = known / np.maximum((~np.isnan(days)).sum(axis=0), 1)
    return np.where(missing, np.tile(profile, DAYS), window)

"""Recordings of motor activity: one count per minute of one subject's wrist."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Where ``--data`` looks when it is not given; unset means generated subjects.
DATA_VARIABLE = "SWITCHOVER_EXAMPLE_MOOD_DATA"

Counts = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recording:
    """Minute counts from ``start`` on; a minute without a reading is NaN.

    ``group`` is ``condition`` (diagnosed with a depression) or ``control``.
    """

    subject: str
    group: str
    start: datetime
    counts: Counts


def load(data: Path | None, *, subjects: int = 60, days: int = 17, seed: int) -> list[Recording]:
    """Real recordings from the folder ``data``; without one, generated subjects."""
    if data is not None:
        from examples.mood.depresjon import read_folder

        return read_folder(data)
    from examples.mood.generated import generate

    return generate(subjects=subjects, days=days, seed=seed)


def default_data() -> Path | None:
    """The folder named by the environment, if any."""
    named = os.environ.get(DATA_VARIABLE, "")
    return Path(named) if named else None


def fingerprint(recordings: Sequence[Recording]) -> str:
    """SHA-256 over subjects, starts and counts: which data a model was trained on."""
    digest = hashlib.sha256()
    for recording in recordings:
        head = f"{recording.subject}|{recording.group}|{recording.start.isoformat()}|"
        digest.update(head.encode())
        digest.update(np.ascontiguousarray(recording.counts, dtype="<f8").tobytes())
    return digest.hexdigest()

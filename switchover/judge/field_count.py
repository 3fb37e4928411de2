"""Sampled disagreements, counted by field and by the way they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from switchover.judge.agreement import Mismatch
from switchover.judge.path import general
from switchover.judge.sample import Sample


@dataclass(frozen=True, slots=True)
class FieldCount:
    """In how many of the samples a field disagrees in one way. Indexes in ``path`` are ``[*]``."""

    path: str
    why: str
    samples: int
    share: float
    last_at: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the fields' names."""
        return {name: getattr(self, name) for name in self.__slots__}


def count_fields(found: Iterable[tuple[Sample, Mismatch]], samples: int) -> tuple[FieldCount, ...]:
    """Count differences by field and way, of ``samples`` samples; the most frequent first."""
    seen: dict[tuple[str, str], dict[str, float]] = {}
    for sample, mismatch in found:
        seen.setdefault((general(mismatch.path), mismatch.why), {})[sample.id] = sample.at
    counts = [
        FieldCount(path, why, len(ids), len(ids) / samples, max(ids.values()))
        for (path, why), ids in seen.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.samples, count.path, count.why)))

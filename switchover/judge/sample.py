"""A sampled disagreement: what a recorder ships of a pair of answers for people to see.

Redacted and cut short where it is made, in the application. Standard library only, because the
light SDK carries it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from switchover.judge.agreement import Comparison, Mismatch
from switchover.judge.redaction import brief

#: The year 10000, in seconds since the Unix epoch; NaN is not before it either.
_LATEST = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Sample:
    """The differences of one pair of answers.

    ``id`` is unique over all recorders and makes delivery idempotent. ``at`` is in seconds since
    the Unix epoch, ``epoch`` the routing epoch (0 when unknown).
    """

    id: str
    at: float
    epoch: int
    mismatches: tuple[Mismatch, ...]

    @classmethod
    def of(cls, comparison: Comparison, id: str, at: float, epoch: int) -> Sample:
        """The sample of a disagreement, with values short enough to ship."""
        shown = (
            Mismatch(brief(m.path), brief(m.legacy), brief(m.candidate), m.why)
            for m in comparison.mismatches
        )
        return cls(id, at, epoch, tuple(shown))

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` gives the same sample back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Sample:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            document = json.loads(text)
            sample = cls(**{**document, "mismatches": read_mismatches(document["mismatches"])})
        except (TypeError, KeyError, AttributeError, RecursionError, ValueError) as error:
            raise ValueError(f"not a sample: {error}") from error
        if not (
            isinstance(sample.id, str)
            and sample.id.isalnum()
            and isinstance(sample.at, float | int)
            and 0 <= sample.at < _LATEST
            and isinstance(sample.epoch, int)
            and 0 <= sample.epoch < 2**63
        ):
            raise ValueError("not a sample: impossible id, time or epoch")
        return sample


def read_mismatches(documents: Sequence[dict[str, Any]]) -> tuple[Mismatch, ...]:
    """Mismatches of their plain documents; raises ``ValueError`` for anything else."""
    found = tuple(Mismatch(**document) for document in documents)
    if not all(isinstance(m.path, str) and isinstance(m.why, str) for m in found):
        raise ValueError("a path and a reason are text")
    return found

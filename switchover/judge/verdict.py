"""Verdicts, and the readings of a gate and of a stage that carry their numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What the evidence says about going on."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


@dataclass(frozen=True, slots=True)
class GateReading:
    """One gate at one look.

    ``estimate`` is in the unit of ``limit`` and of the present stage, None without data.
    ``n`` counts the stage's observations. Evidence is a natural number (1 says nothing), cut
    off at 1e300. ``need`` is how many more observations promotion takes at the present
    estimate; 0 when it has enough, None when at this estimate it never will. ``wait`` is the
    same in seconds at the present rate, None where either can't be told. A ``report_only`` gate's
    verdict changes nothing.
    """

    gate: str
    kind: str
    metric: str
    verdict: Verdict
    estimate: float | None
    limit: float
    n: int
    rollback_evidence: float
    promote_evidence: float
    need: int | None
    sentence: str
    wait: float | None = None
    report_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the fields' names."""
        return {**asdict(self), "verdict": self.verdict.value}


@dataclass(frozen=True, slots=True)
class StageReading:
    """All gates of a stage at one look.

    ``rollback_evidence`` is the weighted sum over the gates, to be compared with
    ``rollback_threshold`` (1/alpha). ``frozen``: some gate holds back every raise of the split.
    """

    verdict: Verdict
    gates: tuple[GateReading, ...]
    rollback_evidence: float
    rollback_threshold: float
    frozen: bool
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the fields' names."""
        return {
            "verdict": self.verdict.value,
            "gates": [gate.to_dict() for gate in self.gates],
            "rollback_evidence": self.rollback_evidence,
            "rollback_threshold": self.rollback_threshold,
            "frozen": self.frozen,
            "sentence": self.sentence,
        }

"""What the benchmark asks of a rule, ours and everybody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from benchmarks.judge.streams import Stream
from switchover.judge.gate import GateSpec

#: A day of looks, one a minute.
LOOKS = 1440


@dataclass(frozen=True, slots=True)
class Limit:
    """What the candidate may do, said in every rule's own way.

    ``gate`` is for ours, ``value`` for rules that look at the candidate alone (None when the
    limit is relative), ``ratio`` for rules that compare it with legacy.
    """

    gate: GateSpec
    value: float | None
    ratio: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended: the minute of the rollback (from 0), or whether it was promoted.

    ``passes`` is the first minute at which the rule would have promoted had the bake time been
    over (ours only; the others speak at the end).
    """

    rolled_back: int | None
    promoted: bool
    passes: int | None = None


class Rule(Protocol):
    """A way to judge rollouts."""

    @property
    def name(self) -> str:
        """A short name, unlike every other."""

    @property
    def settings(self) -> str:
        """The settings in its own words."""

    def judge(self, stream: Stream, limit: Limit, seed: int) -> Outcome:
        """Judge one day."""

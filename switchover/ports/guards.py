"""Guards: processes that watch without a pause, and how anybody sees that they live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GuardBeat:
    """What a guard said after its latest sweep.

    ``every`` and ``took`` are seconds from sweep to sweep and for this one; ``names`` the
    migrations it watches, empty for all; ``migrations`` how many it looked at. ``trouble`` says why
    it could judge nothing, empty when it could. ``age`` is how long ago it was said.
    """

    guard: str
    every: float
    took: float
    migrations: int
    names: tuple[str, ...] = ()
    trouble: str = ""
    age: float = 0.0

    def watches(self, migration: str) -> bool:
        """Whether ``migration`` is one of its own."""
        return not self.names or migration in self.names


class Guards(Protocol):
    """Where guards say that they live; raises ``DependencyUnavailable`` when it is away."""

    @property
    def wanted(self) -> int:
        """How many there should be, by the operator's word; 0 where nobody said so."""

    def say(self, beat: GuardBeat) -> None:
        """Leave a guard's beat in place of its last one."""

    def leave(self, guard: str) -> None:
        """Take a guard's beat away, as it ends."""

    def alive(self) -> Sequence[GuardBeat]:
        """The latest beat of each guard that has not fallen silent, by name."""

"""An in-memory stand-in for guards' beats, with the same contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from switchover.clock import Clock
from switchover.ports.guards import GuardBeat
from switchover.routing.guard_beats import MISSED, SILENT


class InMemoryGuards:
    """Beats in one process, by a clock that tests move."""

    def __init__(self, clock: Clock, wanted: int = 0) -> None:
        self._clock, self.wanted = clock, wanted
        self._said: dict[str, tuple[float, GuardBeat]] = {}

    def say(self, beat: GuardBeat) -> None:
        """Leave a guard's beat."""
        self._said[beat.guard] = self._clock.now().timestamp(), beat

    def leave(self, guard: str) -> None:
        """Take a guard's beat away."""
        self._said.pop(guard, None)

    def alive(self) -> Sequence[GuardBeat]:
        """Who spoke lately."""
        now = self._clock.now().timestamp()
        beats = [replace(beat, age=max(0.0, now - at)) for at, beat in self._said.values()]
        return sorted(
            (beat for beat in beats if beat.age <= max(SILENT, MISSED * beat.every)),
            key=lambda beat: beat.guard,
        )

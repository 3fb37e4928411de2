"""A heartbeat: what a recorder says of itself, so that observations that never arrive are missed.

Standard library only, because the light SDK carries it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

#: A recorder is silent after so many of its intervals, and not before so many seconds.
INTERVALS, LEAST = 3.0, 30.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last word of a recorder between its first shipment and its sign-off.

    ``upto`` counts the observations that have left it so far, whether they arrived or were
    among the ``dropped`` that it gave up itself. It ships ``every`` so many seconds, began at
    ``since`` (seconds since the Unix epoch) and runs in ``process`` (host and number). ``ended``
    is its sign-off. ``silent`` is how many seconds ago it said so, by the clock of the store.
    """

    recorder: str
    upto: int
    dropped: int
    every: float
    since: float
    process: str
    ended: bool = False
    silent: float = 0.0

    @property
    def overdue(self) -> bool:
        """Whether it should have been heard of long ago."""
        return not self.ended and self.silent > max(INTERVALS * self.every, LEAST)

    def to_json(self) -> str:
        """One line of JSON, without ``silent``."""
        names = (name for name in self.__slots__ if name != "silent")
        return json.dumps({name: getattr(self, name) for name in names}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, silent: float) -> Heartbeat:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            heartbeat = cls(**json.loads(text), silent=silent)
            sound = (
                all(type(n) is int and n >= 0 for n in (heartbeat.upto, heartbeat.dropped))
                and all(isinstance(t, str) for t in (heartbeat.recorder, heartbeat.process))
                and all(math.isfinite(t) for t in (heartbeat.every, heartbeat.since))
            )
        except TypeError as error:
            raise ValueError(f"not a heartbeat: {error}") from error
        if not sound:
            raise ValueError(f"not a heartbeat: impossible counts or times in {text[:80]}")
        return heartbeat

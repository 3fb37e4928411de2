"""An in-memory proxy with the fence of the real ones."""

from __future__ import annotations

from switchover.machine.snapshot import Snapshot
from switchover.ports import MeasuredShare
from switchover.routing.proxies.compose import TrafficSplits
from switchover.routing.proxies.fence import Standing, fence, lapse


class InMemoryTrafficSplit:
    """A proxy in one process. ``fault`` is raised instead of an answer while it is set, and
    ``blind`` makes it unable to tell its share; ``told`` lists the standings it took."""

    def __init__(self, migration: str, name: str = "proxy", held: Standing | None = None) -> None:
        self._migration, self.name, self.held = migration, name, held
        self.fault: Exception | None = None
        self.blind = False
        self.told: list[Standing] = []

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        """Take the document if the fence lets it through."""
        wanted = Standing.of(snapshot)
        self._reach()
        self._take(fence(self._migration, wanted, self.held, self.name, lift=lift))

    def fall_back(self) -> None:
        """Everything to legacy, under the epoch that is held."""
        self._reach()
        self._take(lapse(self.held))

    def read(self) -> float | None:
        """The candidate's share."""
        self._reach()
        return None if self.held is None or self.blind else self.held.share

    def measure(self) -> tuple[MeasuredShare, ...]:
        """As all the proxies of a migration that has this one."""
        return TrafficSplits([self]).measure()

    def _reach(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _take(self, standing: Standing | None) -> None:
        if standing is not None and standing != self.held:
            self.held = standing
            self.told.append(standing)

"""Stops that people set, in memory; the in-memory ledger keeps its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from switchover.ports import Freeze


class InMemoryFreezes:
    """What :mod:`switchover.ledger.freezes` keeps in SQL; the caller holds a lock."""

    def __init__(self) -> None:
        self._stops: list[Freeze] = []

    def add(self, stop: Freeze) -> Freeze:
        """Store ``stop`` unless the same one is on."""
        newest = self._newest(stop.scope)
        if newest is not None and (known := self._stops[newest]).lifted_at is None:
            if (known.reason, known.until) == (stop.reason, stop.until):
                return known
            self._stops[newest] = replace(known, lifted_at=stop.at, lifted_by=stop.actor)
        self._stops.append(stop)
        return stop

    def lift(self, scope: str, at: datetime, actor: str) -> Freeze | None:
        """Lift what is on; gives the last stop of the scope."""
        newest = self._newest(scope)
        if newest is None:
            return None
        if self._stops[newest].lifted_at is None:
            self._stops[newest] = replace(self._stops[newest], lifted_at=at, lifted_by=actor)
        return self._stops[newest]

    def listing(self, lifted: bool) -> list[Freeze]:
        """Those that nobody lifted, or all; oldest first."""
        return [stop for stop in self._stops if lifted or stop.lifted_at is None]

    def _newest(self, scope: str) -> int | None:
        found = [place for place, stop in enumerate(self._stops) if stop.scope == scope]
        return found[-1] if found else None

"""Flags that no routing document defines: the environment's, and those nobody knows."""

from __future__ import annotations

import logging
from collections import Counter

from switchover.routing.flags import Evaluation, absent, from_environment

_log = logging.getLogger("switchover.router")


class Undefined:
    """Evaluates them; the environment is read once per name."""

    def __init__(self, migration: str, counters: Counter[str]) -> None:
        self._migration, self._counters = migration, counters
        self._environment: dict[str, Evaluation | None] = {}
        self._warned: set[str] = set()

    def evaluate(self, name: str, *, known: bool) -> Evaluation:
        """What ``name`` is; ``known`` tells whether there is a document that could know it."""
        if name not in self._environment:
            self._environment[name] = self._look_up(name)
        if (found := self._environment[name]) is not None:
            return found
        if not known:
            return absent("cold_start")
        self._counters["unknown_flag"] += 1
        if name not in self._warned:
            self._warned.add(name)
            _log.warning("%s: unknown flag %r; it is off", self._migration, name)
        return absent("unknown")

    def _look_up(self, name: str) -> Evaluation | None:
        try:
            said = from_environment(name)
        except ValueError as error:
            _log.warning("%s: %s; it counts as not set", self._migration, error)
            return None
        return None if said is None else absent("environment", on=said)

"""Numbers the calls by which a use case changes the world, and kills the process at one."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any


class Fuse:
    """Kills this process after call ``kill_at`` of those it guards, or just before it; 0 never
    does. ``names`` lists the calls so far."""

    def __init__(self, kill_at: int = 0, *, before: bool = False) -> None:
        self.kill_at, self.before, self.names = kill_at, before, list[str]()

    def guard(self, target: Any, *methods: str) -> Any:
        """``target``, whose ``methods`` count."""
        return _Guarded(self, target, frozenset(methods))

    def call(self, name: str, work: Callable[..., Any], *args: Any, **words: Any) -> Any:
        """Count the call, and make it unless the process ends here."""
        self.names.append(name)
        here = len(self.names) == self.kill_at
        if here and self.before:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return work(*args, **words)
        finally:
            if here:
                os.kill(os.getpid(), signal.SIGKILL)


class Slow(Fuse):
    """Waits a little around each call, so that a kill from outside falls anywhere in it."""

    def __init__(self, seed: object, most: float = 0.02) -> None:
        super().__init__()
        self._chance, self._most = random.Random(repr(seed)), most

    def call(self, name: str, work: Callable[..., Any], *args: Any, **words: Any) -> Any:
        time.sleep(self._chance.uniform(0, self._most))
        answer = super().call(name, work, *args, **words)
        time.sleep(self._chance.uniform(0, self._most))
        return answer


class _Guarded:
    def __init__(self, fuse: Fuse, target: Any, methods: frozenset[str]) -> None:
        self._fuse, self._target, self._methods = fuse, target, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in self._methods:
            return found
        return lambda *args, **words: self._fuse.call(name, found, *args, **words)

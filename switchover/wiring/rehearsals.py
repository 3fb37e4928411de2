"""Rehearsals on the live Redis, with a ledger, routers, a recorder and callers of their own."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from switchover.errors import DependencyUnavailable

if TYPE_CHECKING:
    from switchover.observe.recorder import Recorder
    from switchover.ports import Ledger, Rehearsal
    from switchover.routing.drill_keys import DrillKeys
    from switchover.routing.router import Router

#: Routers of a synthetic migration, and seconds between two of its callers.
ROUTERS, PACE = 2, 0.01
#: Seconds for routers to hear of a document that is written already.
_HEARD = 10.0


class LiveRehearsals:
    """Each in a folder of its own below ``folder``, and under its own keys in Redis."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._url, self._folder = redis_url, folder

    @contextmanager
    def open(self, migration: str, slug: str, until: float) -> Iterator[Rehearsal]:
        """See :class:`switchover.ports.Rehearsals`."""
        from switchover.ledger import SqlLedger, upgrade
        from switchover.observe.recorder import Recorder
        from switchover.routing.drill_keys import DrillKeys
        from switchover.routing.router import Router

        keys = DrillKeys(self._url)
        for left in keys.overdue(migration):
            self._remove(keys, migration, left)
        keys.enter(migration, slug, until)
        with ExitStack() as stack:
            stack.callback(self._remove, keys, migration, slug)
            database = f"sqlite:///{self._folder / slug / 'ledger.db'}"
            upgrade(database)
            ledger = SqlLedger(database)
            stack.callback(ledger.close)
            routers = [stack.enter_context(Router(slug, self._url)) for _ in range(ROUTERS)]
            first = routers[0]
            recorder = stack.enter_context(
                Recorder(slug, self._url, flush_every=0.5, epoch=lambda: first.epoch)
            )
            live = LiveRehearsal(ledger, routers, recorder)
            stack.callback(live.hang_up)
            yield live

    def _remove(self, keys: DrillKeys, migration: str, slug: str) -> None:
        shutil.rmtree(self._folder / slug, ignore_errors=True)
        keys.remove(migration, slug)


class LiveRehearsal:
    """One synthetic migration; see :class:`switchover.ports.Rehearsal`."""

    def __init__(self, ledger: Ledger, routers: list[Router], recorder: Recorder) -> None:
        self.ledger = ledger
        self._routers, self._recorder = routers, recorder
        self._ended, self._served = threading.Event(), threading.Event()
        self._first = 0.0
        self._callers = threading.Thread(target=self._call, name="switchover-drill", daemon=True)

    @property
    def routers(self) -> int:
        """How many routers follow it."""
        return len(self._routers)

    def call(self) -> float:
        """Let callers come; gives the moment of the first bad answer."""
        self._callers.start()
        if not self._served.wait(_HEARD):
            raise DependencyUnavailable(
                "routing", f"the drill's routers sent nobody to the candidate in {_HEARD:g} s; "
                "check that they reach Redis",
            )  # fmt: skip
        return self._first

    def spared(self) -> bool:
        """Whether no router sends anybody to the candidate."""
        return not any(
            router.route(f"caller {number}").system == "candidate"
            for router in self._routers
            for number in range(100)
        )

    def hang_up(self) -> None:
        """No more callers."""
        self._ended.set()
        if self._callers.is_alive():
            self._callers.join(5.0)

    def _call(self) -> None:
        for number in itertools.count():
            router = self._routers[number % len(self._routers)]
            system = router.route(f"caller {number}").system
            self._recorder.record("success_rate", system == "legacy", system)
            if system == "candidate" and not self._served.is_set():
                self._first = time.time()
                self._served.set()
            if self._ended.wait(PACE):
                return

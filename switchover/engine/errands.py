"""Errands: what a guard leaves to threads of its own: no sweep waits for Slack or Prefect."""

from __future__ import annotations

import logging
import threading

from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.errors import SwitchoverError

_log = logging.getLogger("switchover.guard")

#: Two: while one waits for a Slack that does not answer, the other starts the rollback's flow.
THREADS = 2
#: Seconds between two looks for effects that are due again, when nobody calls.
EVERY = 5.0


class Errands:
    """Performs the outbox's effects when told to, and every few seconds. An effect is leased, so
    that nobody else does it at the same time."""

    def __init__(self, context: Context, *, every: float = EVERY, threads: int = THREADS) -> None:
        self._context, self._every = context, every
        self._calls = threading.Semaphore(0)
        self._ending = threading.Event()
        self._down = ""
        self._threads = [
            threading.Thread(target=self._run, name=f"errands-{number}", daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Errands:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(0.0)

    def call(self) -> None:
        """There is something to do."""
        for _ in self._threads:
            self._calls.release()

    def end(self, patience: float) -> None:
        """Do what is due and stop; what takes longer is left to whoever drains next."""
        self._ending.set()
        self.call()
        for thread in self._threads:
            thread.join(patience)

    def _run(self) -> None:
        while True:
            self._calls.acquire(timeout=self._every)
            ending = self._ending.is_set()
            self._perform()
            if ending:
                return

    def _perform(self) -> None:
        try:
            drained = drain(self._context)
        except SwitchoverError as error:
            if not self._down:
                _log.warning("effects wait: %s", error)
            self._down = str(error)
        except Exception:
            _log.exception("performing effects failed in an unforeseen way")
        else:
            self._down = ""
            for key in drained.done:
                _log.info("did %s", key)
            for failure in drained.failed:
                _log.warning("put off %s", failure)

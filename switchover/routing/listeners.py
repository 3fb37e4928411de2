"""Tells those who listen, in a thread of its own: what they do can't delay a rollback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from switchover.routing.held import Change

_log = logging.getLogger("switchover.router")

Callback = Callable[[Change], None]


class Listeners:
    """Callbacks for changes, called one after the other in the order of the changes.

    The thread starts with the first callback; it is a daemon and survives a fork.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._callbacks: list[Callback] = []
        self._changes: SimpleQueue[Change] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` from now on; gives what ends that."""
        with self._lock:
            # Replaced, never changed: the thread may be going through it.
            self._callbacks = [*self._callbacks, callback]
            self._start()

        def remove() -> None:
            with self._lock:
                self._callbacks = [other for other in self._callbacks if other is not callback]

        return remove

    def tell(self, change: Change) -> None:
        """Let everybody know; returns at once."""
        if self._callbacks:
            self._changes.put(change)

    def renew(self) -> None:
        """After a fork: a thread and a queue of the child's own."""
        self._changes, self._thread, self._lock = SimpleQueue(), None, threading.Lock()
        if self._callbacks:
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        changes = self._changes
        while True:
            change = changes.get()
            for callback in self._callbacks:
                try:
                    callback(change)
                except Exception:
                    # One listener's fault is no other's, and none of the router's.
                    _log.exception("a listener failed on %s", change)

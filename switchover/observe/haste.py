"""Haste: when a recorder ships next. Soon while failures come in a row, else at leisure.

What is shipped is everything counted so far, whatever made it go: a block that ends at a failure
is as good a bet as one that ends by the clock (see docs/decisions/0015-guard.md).
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

#: Seconds between two shipments in haste.
AT_LEAST = 0.5


class Haste:
    """Wakes the thread that ships. Anybody may :meth:`hurry` it, a signal handler included."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        # Its put may be interrupted by another put of the same thread, unlike any event's set.
        self._nudges: SimpleQueue[None] = SimpleQueue()
        self._hurried = False
        self._began = time.monotonic()

    def hurry(self) -> None:
        """Ship soon. Costs next to nothing when that was said before."""
        if not self._hurried:
            self._hurried = True
            self._nudges.put(None)

    def stop(self) -> None:
        """The recorder is closing: don't wait any longer."""
        self._nudges.put(None)

    def begin_afresh(self) -> None:
        """What was counted is on its way."""
        self._hurried = False
        self._began = time.monotonic()

    def wait(self, most: float) -> bool:
        """Wait until it is time to ship; True when the recorder is closing instead."""
        try:
            self._nudges.get(timeout=most)
        except Empty:
            return self._closing.is_set()
        return self._closing.wait(max(0.0, self._began + min(AT_LEAST, most) - time.monotonic()))

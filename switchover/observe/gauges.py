"""Gauges: values that are read now and then, on a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Gauge:
    """``read`` is called ``every`` so many seconds, next at ``due`` of the monotonic clock."""

    name: str
    read: Callable[[], None]
    every: float
    due: float


class Gauges:
    """Reads each gauge when it is due, from :meth:`start` to :meth:`stop`.

    One that takes long delays the others and never a shipment. What ``read`` raises goes to
    ``failed`` with the gauge's name.
    """

    def __init__(self, name: str, failed: Callable[[str, Exception], None]) -> None:
        self._name, self._failed = name, failed
        self._gauges: list[Gauge] = []
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Stand still and share nothing with another process, as a forked child must."""
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._running = False

    def add(self, name: str, read: Callable[[], None], every: float) -> None:
        """Read this one too, at once and then ``every`` so many seconds."""
        with self._lock:
            self._gauges.append(Gauge(name, read, every, 0.0))
        if self._running:
            self.start()

    def start(self) -> None:
        """Begin to read; without gauges there is no thread."""
        self._running = True
        self._changed.set()
        with self._lock:
            if self._gauges and self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Read no more. One that is being read is not waited for for longer than a second."""
        self._running = False
        self._changed.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1.0)

    def _run(self) -> None:
        while self._running and self._thread is threading.current_thread():
            self._changed.clear()
            with self._lock:
                gauges = list(self._gauges)
            for gauge in gauges:
                if self._running and gauge.due <= time.monotonic():
                    self._read(gauge)
            wait = min(gauge.due for gauge in gauges) - time.monotonic()
            if self._running:
                self._changed.wait(max(0.0, wait))

    def _read(self, gauge: Gauge) -> None:
        gauge.due = time.monotonic() + gauge.every
        try:
            gauge.read()
        except Exception as error:
            self._failed(gauge.name, error)

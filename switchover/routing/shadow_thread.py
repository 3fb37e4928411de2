"""Shadow calls for applications without an event loop: a few threads and a bounded queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Full, Queue
from typing import Any

from switchover.routing.shadow_bounds import FAILED, BoundedShadow, Job

_log = logging.getLogger("switchover.shadow")


class ThreadShadow(BoundedShadow[Any]):
    """What :class:`switchover.routing.shadow.Shadow` does, with threads: 4 unless told otherwise.

    A thread can't be stopped from outside, so a call that outlives ``deadline`` counts as
    ``timeout`` when it returns, and holds its thread until then; meanwhile others are shed.
    Give the call itself a time limit too.
    """

    _concurrency, _least_queue = 4, 1

    def _open(self) -> None:
        self._jobs: Queue[Job[Any] | None] = Queue(self._queue)
        self._threads = [
            threading.Thread(target=self._work, name=f"switchover-shadow-{n}", daemon=True)
            for n in range(self._concurrency)
        ]
        for thread in self._threads:
            thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Take no more calls and wait for those taken, at most ``timeout`` seconds."""
        self._closed = True
        end = time.monotonic() + timeout
        for _ in self._threads:
            try:
                self._jobs.put(None, timeout=max(0.0, end - time.monotonic()))
            except Full:
                _log.warning("shadow calls still wait after %.1f s; they are dropped", timeout)
                break
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._run(job)
            except Exception:
                # Reading or comparing failed; the thread goes on with the next pair.
                self._pairs.count("broken")
                _log.exception("a shadow pair could not be read")

    def _take(self, job: Job[Any]) -> bool:
        try:
            self._jobs.put_nowait(job)
        except Full:
            return False
        return True

    def _run(self, job: Job[Any]) -> None:
        if not self._in_time(job):
            return
        answer = self._within_deadline(job.called, job.other)
        legacy, candidate = job.pair(answer)
        if answer is not FAILED:
            self._pairs.answered(legacy, candidate, job.reading)
        if job.again is not None and legacy is not FAILED and self._draws_noise():
            second = self._within_deadline("noise", job.again)
            if second is not FAILED:
                self._pairs.noise(legacy, second, job.reading)

    def _within_deadline(self, called: str, call: Callable[[], Any]) -> Any:
        """The answer, or ``FAILED`` after the failure was counted."""
        begin, kind = time.monotonic(), "timeout"
        try:
            answer = call()
            if time.monotonic() - begin <= self._deadline:
                return answer
        except TimeoutError:
            _log.debug("the shadow call of %s took too long", called)
        except Exception as error:
            kind = "error"
            _log.debug("the shadow call of %s failed: %r", called, error)
        self._pairs.failed(called, kind)
        return FAILED

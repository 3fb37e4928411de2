"""Shadow calls for applications without an event loop: a few threads and a bounded queue."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from switchover.errors import InputError
from switchover.routing.shadow_pairs import PLAIN, SAFE_METHODS, PairRecorder, Pairs, Reading

_log = logging.getLogger("switchover.shadow")


@dataclass(frozen=True, slots=True)
class _Job:
    served: str
    answer: Any
    other: Callable[[], Any]
    again: Callable[[], Any] | None
    reading: Reading
    since: float = field(default_factory=time.monotonic)

    @property
    def called(self) -> str:
        return "legacy" if self.served == "candidate" else "candidate"


class ThreadShadow:
    """What :class:`switchover.routing.shadow.Shadow` does, with threads.

    A thread can't be stopped from outside, so a call that outlives ``deadline`` counts as
    ``timeout`` when it returns, and holds its thread until then; meanwhile others are shed.
    Give the call itself a time limit too.
    """

    def __init__(
        self,
        recorder: PairRecorder | None = None,
        *,
        concurrency: int = 4,
        queue_size: int = 64,
        deadline: float = 2.0,
        noise: float = 0.0,
        allow: Iterable[str] = (),
    ) -> None:
        if concurrency < 1 or queue_size < 1 or deadline <= 0 or not 0 <= noise <= 1:
            raise InputError(
                "a shadow needs concurrency and queue_size from 1, a deadline above 0, "
                "and a noise share from 0 to 1"
            )
        self._pairs = Pairs(recorder)
        self._deadline, self._noise = deadline, noise
        self._allowed = SAFE_METHODS | {method.upper() for method in allow}
        self._jobs: queue.Queue[_Job | None] = queue.Queue(queue_size)
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"switchover-shadow-{n}", daemon=True)
            for n in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counters(self) -> Counter[str]:
        """Calls by outcome, named as those of ``Shadow``."""
        return self._pairs.counters

    def allows(self, method: str) -> bool:
        """Whether requests of this HTTP method may be sent twice."""
        return method.upper() in self._allowed

    def after(
        self,
        served: str,
        answer: Any,
        other: Callable[[], Any],
        *,
        again: Callable[[], Any] | None = None,
        method: str = "GET",
        reading: Reading = PLAIN,
    ) -> bool:
        """Take one request that ``served`` has answered; False when it is not shadowed."""
        if not self.allows(method):
            self._pairs.count("unsafe")
            return False
        job = _Job(served, answer, other, again, reading)
        try:
            if self._closed:
                raise queue.Full
            self._jobs.put_nowait(job)
        except queue.Full:
            self._pairs.failed(job.called, "shed")
            return False
        return True

    def close(self, timeout: float = 5.0) -> None:
        """Take no more calls and wait for those taken, at most ``timeout`` seconds."""
        self._closed = True
        end = time.monotonic() + timeout
        for _ in self._threads:
            try:
                self._jobs.put(None, timeout=max(0.0, end - time.monotonic()))
            except queue.Full:
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

    def _run(self, job: _Job) -> None:
        if time.monotonic() - job.since > self._deadline:
            self._pairs.failed(job.called, "shed")
            return
        answered, answer = self._within_deadline(job.called, job.other)
        legacy = job.answer if job.served == "legacy" else answer
        if answered:
            candidate = answer if job.served == "legacy" else job.answer
            self._pairs.answered(legacy, candidate, job.reading)
        has_legacy = answered or job.served == "legacy"
        if job.again is not None and has_legacy and random.random() < self._noise:
            answered, second = self._within_deadline("noise", job.again)
            if answered:
                self._pairs.noise(legacy, second, job.reading)

    def _within_deadline(self, called: str, call: Callable[[], Any]) -> tuple[bool, Any]:
        begin, kind, answer = time.monotonic(), "", None
        try:
            answer = call()
        except TimeoutError:
            kind = "timeout"
        except Exception as error:
            kind = "error"
            _log.debug("the shadow call of %s failed: %r", called, error)
        if not kind and time.monotonic() - begin > self._deadline:
            kind = "timeout"
        if kind and called == "noise":
            self._pairs.count(f"noise_{kind}")
        elif kind:
            self._pairs.failed(called, kind)
        return not kind, answer

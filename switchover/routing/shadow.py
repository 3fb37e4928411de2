"""Shadow calls under asyncio: the other side is asked after the answer, and can't delay it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from switchover.errors import InputError
from switchover.routing.shadow_pairs import PLAIN, SAFE_METHODS, PairRecorder, Pairs, Reading

_log = logging.getLogger("switchover.shadow")

#: Makes one call and gives its answer; an exception is an error of the system called.
Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Job:
    served: str
    answer: Any
    other: Call
    again: Call | None
    reading: Reading
    since: float = field(default_factory=time.monotonic)

    @property
    def called(self) -> str:
        return "legacy" if self.served == "candidate" else "candidate"


class Shadow:
    """Calls the system that did not serve, after the answer, within bounds.

    At most ``concurrency`` calls run and ``queue`` wait; more are shed, and so is one that
    waited longer than ``deadline`` seconds, which is also the time a call may take.
    Unsafe HTTP methods are not shadowed unless ``allow`` names them. A share ``noise`` of
    the requests is also sent to legacy once more, and both of its answers go to
    ``recorder.compare_noise``. One object belongs to one event loop.
    """

    def __init__(
        self,
        recorder: PairRecorder | None = None,
        *,
        concurrency: int = 16,
        queue: int = 64,
        deadline: float = 2.0,
        noise: float = 0.0,
        allow: Iterable[str] = (),
    ) -> None:
        if concurrency < 1 or queue < 0 or deadline <= 0 or not 0 <= noise <= 1:
            raise InputError(
                "a shadow needs concurrency from 1, queue from 0, a deadline above 0, "
                "and a noise share from 0 to 1"
            )
        self._pairs = Pairs(recorder)
        self._concurrency, self._queue, self._deadline = concurrency, queue, deadline
        self._noise, self._allowed = noise, SAFE_METHODS | {method.upper() for method in allow}
        self._waiting: deque[_Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def counters(self) -> Counter[str]:
        """Calls by outcome: ``ok``, ``error``, ``timeout``, ``shed``, ``incomparable``,
        ``unsafe``, ``legacy_…`` where legacy failed as the shadow, ``noise``."""
        return self._pairs.counters

    @property
    def pending(self) -> int:
        """Calls that run or wait."""
        return len(self._running) + len(self._waiting)

    def allows(self, method: str) -> bool:
        """Whether requests of this HTTP method may be sent twice."""
        return method.upper() in self._allowed

    def after(
        self,
        served: str,
        answer: Any,
        other: Call,
        *,
        again: Call | None = None,
        method: str = "GET",
        reading: Reading = PLAIN,
    ) -> bool:
        """Take one request that ``served`` has answered; False when it is not shadowed.

        ``other`` calls the other system, ``again`` calls legacy once more. Returns at once.
        """
        if not self.allows(method):
            self._pairs.count("unsafe")
            return False
        job = _Job(served, answer, other, again, reading)
        if not self._closed and len(self._running) < self._concurrency:
            self._start(job)
        elif not self._closed and len(self._waiting) < self._queue:
            self._waiting.append(job)
        else:
            self._pairs.failed(job.called, "shed")
            return False
        return True

    def failed(self, kind: str) -> None:
        """The candidate was to serve and failed, so its half of the pair is known to be bad."""
        self._pairs.failed("candidate", kind)

    async def drain(self, timeout: float = 5.0) -> bool:
        """Wait until nothing runs or waits; False when that took longer than ``timeout``."""
        end = time.monotonic() + timeout
        while self._running:
            await asyncio.wait(set(self._running), timeout=max(0.0, end - time.monotonic()))
            if self._running and time.monotonic() >= end:
                return False
        return True

    async def close(self, timeout: float = 5.0) -> None:
        """Take no more calls, wait for those in flight, cancel what is left."""
        self._closed = True
        while self._waiting:
            self._pairs.failed(self._waiting.popleft().called, "shed")
        if not await self.drain(timeout):
            left = set(self._running)
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)

    def _start(self, job: _Job) -> None:
        task = asyncio.create_task(self._run(job))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        while self._waiting and len(self._running) < self._concurrency:
            job = self._waiting.popleft()
            if time.monotonic() - job.since > self._deadline:
                self._pairs.failed(job.called, "shed")
            else:
                self._start(job)

    async def _run(self, job: _Job) -> None:
        try:
            answer = await self._within_deadline(job.called, job.other)
            legacy = job.answer if job.served == "legacy" else answer
            if answer is not _FAILED:
                candidate = answer if job.served == "legacy" else job.answer
                await self._beside(job, self._pairs.answered, legacy, candidate)
            if job.again is not None and legacy is not _FAILED and random.random() < self._noise:
                second = await self._within_deadline("noise", job.again)
                if second is not _FAILED:
                    await self._beside(job, self._pairs.noise, legacy, second)
        except Exception:
            # Reading or comparing failed. It is nobody's answer: said here, felt by no caller.
            self._pairs.count("broken")
            _log.exception("a shadow pair could not be read")

    async def _within_deadline(self, called: str, call: Call) -> Any:
        """The answer, or ``_FAILED`` after the failure was counted."""
        try:
            async with asyncio.timeout(self._deadline):
                return await call()
        except TimeoutError:
            kind = "timeout"
        except Exception as error:
            kind = "error"
            _log.debug("the shadow call of %s failed: %r", called, error)
        if called == "noise":
            self._pairs.count(f"noise_{kind}")
        else:
            self._pairs.failed(called, kind)
        return _FAILED

    async def _beside(self, job: _Job, step: Callable[..., Any], one: Any, two: Any) -> None:
        """Long documents are parsed and compared in a thread, so that the loop goes on."""
        if job.reading.heavy(one) or job.reading.heavy(two):
            await asyncio.to_thread(step, one, two, job.reading)
        else:
            step(one, two, job.reading)


_FAILED: Any = object()

"""Shadow calls under asyncio: the other side is asked after the answer, and can't delay it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from switchover.routing.shadow_bounds import FAILED, BoundedShadow, Job

_log = logging.getLogger("switchover.shadow")

#: Makes one call and gives its answer; an exception is an error of the system called.
Call = Callable[[], Awaitable[Any]]


class Shadow(BoundedShadow[Awaitable[Any]]):
    """Shadow calls on an event loop; :class:`BoundedShadow` tells their bounds.

    16 calls at the same time unless told otherwise. One object belongs to one event loop.
    """

    _concurrency = 16

    def _open(self) -> None:
        self._waiting: deque[Job[Awaitable[Any]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Calls that run or wait."""
        return len(self._running) + len(self._waiting)

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

    def _take(self, job: Job[Awaitable[Any]]) -> bool:
        if len(self._running) < self._concurrency:
            self._start(job)
        elif len(self._waiting) < self._queue:
            self._waiting.append(job)
        else:
            return False
        return True

    def _start(self, job: Job[Awaitable[Any]]) -> None:
        task = asyncio.create_task(self._run(job))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        while self._waiting and len(self._running) < self._concurrency:
            job = self._waiting.popleft()
            if self._in_time(job):
                self._start(job)

    async def _run(self, job: Job[Awaitable[Any]]) -> None:
        try:
            answer = await self._within_deadline(job.called, job.other)
            legacy, candidate = job.pair(answer)
            if answer is not FAILED:
                await self._beside(job, self._pairs.answered, legacy, candidate)
            if job.again is not None and legacy is not FAILED and self._draws_noise():
                second = await self._within_deadline("noise", job.again)
                if second is not FAILED:
                    await self._beside(job, self._pairs.noise, legacy, second)
        except Exception:
            # Reading or comparing failed. It is nobody's answer: said here, felt by no caller.
            self._pairs.count("broken")
            _log.exception("a shadow pair could not be read")

    async def _within_deadline(self, called: str, call: Call) -> Any:
        """The answer, or ``FAILED`` after the failure was counted."""
        try:
            async with asyncio.timeout(self._deadline):
                return await call()
        except TimeoutError:
            kind = "timeout"
        except Exception as error:
            kind = "error"
            _log.debug("the shadow call of %s failed: %r", called, error)
        self._pairs.failed(called, kind)
        return FAILED

    async def _beside(
        self, job: Job[Awaitable[Any]], step: Callable[..., Any], one: Any, two: Any
    ) -> None:
        """Long documents are parsed and compared in a thread, so that the loop goes on."""
        if job.reading.heavy(one) or job.reading.heavy(two):
            await asyncio.to_thread(step, one, two, job.reading)
        else:
            step(one, two, job.reading)

"""Open load: requests begin on time, whatever became of the ones before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

#: More callers than ever wait at once, so that none of them waits for another.
CALLERS = 96


def threads(call: Callable[[int], object], requests: int, rate: float) -> list[float]:
    """Seconds that each of ``requests`` calls kept its caller, a thread."""

    def one(number: int) -> float:
        began = time.perf_counter()
        call(number)
        return time.perf_counter() - began

    begin, calls = time.perf_counter(), list[Future[float]]()
    with ThreadPoolExecutor(CALLERS) as callers:
        for number in range(requests):
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            calls.append(callers.submit(one, number))
        return [call.result() for call in calls]


async def tasks(
    call: Callable[[int], Coroutine[Any, Any, float]], requests: int, rate: float
) -> list[float]:
    """The seconds that each of ``requests`` calls gives, each begun as a task."""
    begin, calls = time.perf_counter(), list[asyncio.Task[float]]()
    for number in range(requests):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        calls.append(asyncio.create_task(call(number)))
    return list(await asyncio.gather(*calls))

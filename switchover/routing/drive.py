"""One course of steps, walked by a thread or by an event loop.

What has to be done in which order is written once, as a generator that yields its I/O as
steps; :func:`drive` makes them in place, :func:`drive_async` beside the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from switchover.errors import InputError

#: Gets the event, gives the result (JSON); may be a coroutine function.
Handler = Callable[[Any], Any]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A command to Redis: short, and blocking."""

    run: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a handler; ``deadline`` is in seconds, None for none."""

    handler: Handler
    event: Any
    deadline: float | None = None


Steps = Generator[Ask | Call, Any, T]


def needs_loop(handler: Handler) -> bool:
    """Whether calling it gives a coroutine."""
    called = getattr(handler, "__call__", None)  # noqa: B004 (an object may define it async)
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


def drive(steps: Steps[T]) -> T:
    """Walk ``steps`` in this thread. A deadline can't stop a thread; the handler has to."""
    try:
        step = next(steps)
        while True:
            try:
                answer = step.run() if isinstance(step, Ask) else step.handler(step.event)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def drive_async(steps: Steps[T]) -> T:
    """Walk ``steps`` under asyncio: what blocks runs in a thread, deadlines are kept."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await _make(step)
            except (Exception, asyncio.CancelledError) as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def _make(step: Ask | Call) -> Any:
    if isinstance(step, Ask):
        return await asyncio.to_thread(step.run)
    async with asyncio.timeout(step.deadline):
        if needs_loop(step.handler):
            return await step.handler(step.event)
        return await asyncio.to_thread(step.handler, step.event)


def require_plain(handlers: dict[str, Handler]) -> None:
    """``InputError`` when one of the handlers can only run under asyncio."""
    for system, handler in handlers.items():
        if needs_loop(handler):
            raise InputError(
                f"the handler of {system} is a coroutine function; use handle_async instead"
            )

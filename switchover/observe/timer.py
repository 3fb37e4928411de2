"""A timer: how long something took, as one observation."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Timer:
    """Tells ``done`` how many seconds its block took, also when it raises.

    For ``with`` and ``async with``, and as a decorator of a function or a coroutine function,
    where each call is timed by itself.
    """

    __slots__ = ("_begin", "_done")

    def __init__(self, done: Callable[[float], None]) -> None:
        self._done, self._begin = done, 0.0

    def __enter__(self) -> Self:
        self._begin = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done(time.perf_counter() - self._begin)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: _Function) -> _Function:
        """``function``, timed from call to return; a coroutine function until it has finished."""
        done = self._done
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: Any, **named: Any) -> Any:
                with Timer(done):
                    return await function(*arguments, **named)

            return cast(_Function, awaited)

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            with Timer(done):
                return function(*arguments, **named)

        return cast(_Function, called)

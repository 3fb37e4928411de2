"""Start and stop of several applications behind one: the first decides, the rest follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from switchover.routing.asgi.protocol import App, Message, Receive, Scope, Send

_log = logging.getLogger("switchover.asgi")


class Lifespan:
    """The lifespan of one application, driven from outside.

    An application that does not know lifespans is started as soon as it says so, by raising.
    ``state`` is what it shares with its requests.
    """

    def __init__(self, app: App, scope: Scope, name: str, state: MutableMapping[str, Any]) -> None:
        self._app, self._name = app, name
        self._scope = {**scope, "state": state}
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> str:
        """Start it; what went wrong, empty when it is up."""
        self._task = asyncio.create_task(self._app(self._scope, self._asked.get, self._told.put))
        answer = await self._ask("startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            return str(answer.get("message", "")) or "its startup failed"
        return ""

    async def shutdown(self) -> str:
        """Stop it; what went wrong, empty when it stopped in order."""
        if self._task is None or self._task.done():
            return ""
        answer = await self._ask("shutdown")
        await asyncio.wait({self._task})
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            return str(answer.get("message", "")) or "its shutdown failed"
        return ""

    async def _ask(self, what: str) -> Message | None:
        task = self._task
        if task is None:
            return None
        await self._asked.put({"type": f"lifespan.{what}"})
        told = asyncio.create_task(self._told.get())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        # It may have answered and ended in one go.
        await asyncio.sleep(0)
        if told.done():
            return told.result()
        told.cancel()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("%s has no lifespan: %r", self._name, error)
        return None


async def serve_lifespan(
    lifespans: Sequence[Lifespan],
    receive: Receive,
    send: Send,
    began: Callable[[int, str], None],
    ending: Callable[[], Awaitable[None]],
) -> None:
    """Run all of them through the server's one lifespan.

    Only the first one's failure keeps the server from starting: what moves in must not keep
    down what serves. The failure of another is told to ``began`` with its place. ``ending``
    is awaited before they are stopped.
    """
    await receive()
    for place, lifespan in enumerate(lifespans):
        problem = await lifespan.startup()
        if problem and place == 0:
            await send({"type": "lifespan.startup.failed", "message": problem})
            return
        if problem:
            began(place, problem)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await ending()
    problems = [problem for lifespan in lifespans if (problem := await lifespan.shutdown())]
    if problems:
        await send({"type": "lifespan.shutdown.failed", "message": "; ".join(problems)})
    else:
        await send({"type": "lifespan.shutdown.complete"})

"""The router for asyncio: decisions as ever, and a start and an end that block no event loop."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from switchover.routing.router import Router


class AsyncRouter:
    """A :class:`Router` whose start, readiness and end are awaited.

    Decisions need no I/O, so ``route``, ``flag``, ``variant``, ``flags`` and ``on_change`` are
    the router's own plain methods, at its speed. ``router`` is that router, for what takes one
    and for its properties.

        async with AsyncRouter("mood") as router:
            decision = router.route(patient_id)
    """

    def __init__(self, migration: str, redis_url: Any = None, **options: Any) -> None:
        self.router = Router(migration, redis_url, **options)
        self.route = self.router.route
        self.flag = self.variant = self.router.flag
        self.flags = self.router.flags
        self.on_change = self.router.on_change

    async def start(self) -> Self:
        """Begin to follow the routing document; see :meth:`Router.start`."""
        self.router.start()
        return self

    async def wait_ready(self, timeout: float = 5.0) -> bool:
        """Wait until Redis answered once; False when it did not within ``timeout`` seconds."""
        return await asyncio.to_thread(self.router.wait_ready, timeout)

    async def close(self) -> None:
        """Stop following and sign off, which may take Redis a moment."""
        await asyncio.to_thread(self.router.close)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

"""A client's request body on its way to a system: passed on in parts, and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from switchover.routing.asgi.protocol import Receive

_DISCONNECT = "http.disconnect"


class Body:
    """The body that ``receive`` delivers; ``expected`` says whether there is one.

    ``touched`` is set once a part of it may have been sent.
    """

    def __init__(self, receive: Receive, *, expected: bool) -> None:
        self._receive, self._expected = receive, expected
        self._settled = asyncio.Event()
        self._left = self.touched = False

    async def parts(self) -> AsyncIterator[bytes]:
        """The body, part by part."""
        self.touched = True
        more = True
        while more:
            message = await self._receive()
            if message["type"] == _DISCONNECT:
                self._left = True
                self._settled.set()
                # Never ends: the exchange of a client that has left is cancelled.
                await asyncio.Event().wait()
            more = message.get("more_body", False)
            if part := message.get("body", b""):
                yield part
        self._settled.set()

    async def client_leaves(self) -> None:
        """Returns when the client has left, in the middle of the body or after it."""
        if self._expected:
            await self._settled.wait()
        while not self._left:
            message = await self._receive()
            self._left = message["type"] == _DISCONNECT

"""A request body that can be read more than once, as far as it fits a buffer."""

from __future__ import annotations

import asyncio

from switchover.routing.asgi.protocol import Message, Receive

_DISCONNECT = "http.disconnect"


class Replay:
    """Keeps up to ``limit`` bytes of the body that ``receive`` delivers.

    Each :meth:`reader` reads from the beginning. Once the body is longer than ``limit`` it
    can be read only once, and what was passed on is no longer kept (``spent``).
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._kept: list[Message] = []
        self._size = 0
        self.overflowed = self.complete = self.gone = self.spent = False

    async def body(self) -> bytes | None:
        """The whole body; ``None`` when it is longer than the limit or the client has left."""
        while not (self.complete or self.overflowed or self.gone):
            await self._next()
        return self.kept()

    def kept(self) -> bytes | None:
        """The whole body, if all of it was read and kept."""
        if not self.complete or self.overflowed:
            return None
        return b"".join(message.get("body", b"") for message in self._kept)

    def reader(self) -> Receive:
        """Receives the body from the beginning, then whatever follows."""
        place = 0

        async def receive() -> Message:
            nonlocal place
            if place < len(self._kept):
                message = self._kept[place]
                place += 1
                if self.overflowed and place == len(self._kept):
                    place = self._forget()
                return message
            if self.gone:
                return {"type": _DISCONNECT}
            message = await self._next()
            place = self._forget() if self.overflowed else len(self._kept)
            return message

        return receive

    def _forget(self) -> int:
        self._kept.clear()
        self.spent = True
        return 0

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == _DISCONNECT:
            self.gone = True
        elif message["type"] == "http.request" and not self.complete:
            self._size += len(message.get("body", b""))
            self.overflowed = self._size > self._limit
            self._kept.append(message)
            self.complete = not message.get("more_body", False)
        return message


def recorded(body: bytes) -> Receive:
    """Receives ``body`` at once; after that the client stays, silent."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive

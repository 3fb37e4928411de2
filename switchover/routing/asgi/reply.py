"""The answer of one system on its way out: timed, kept for comparison, held back if it failed."""

from __future__ import annotations

import time
from asyncio import Timeout, get_running_loop
from collections.abc import Callable

from switchover.routing.asgi.answer import Capture, is_event_stream
from switchover.routing.asgi.protocol import Message, Send

#: Statuses of the candidate that legacy may make good.
FAILED = frozenset({500, 502, 503, 504})
#: Messages that carry the body or a part of it; the last two by an extension of the server's.
BODY = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")
#: Seconds in which an answer that is held back has to end.
HELD_FOR = 1.0


class Reply:
    """Passes one system's messages on to ``send``.

    While ``replaceable()``, an answer with a status of :data:`FAILED` is not passed on:
    ``held`` is set, and another system may answer. ``timer`` limits the time to the first
    message. ``seconds`` is the time to the last part of the answer, of an event stream to
    its beginning.
    """

    def __init__(
        self,
        send: Send,
        *,
        replaceable: Callable[[], bool] = lambda: False,
        capture: Capture | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self._send, self.replaceable, self.capture = send, replaceable, capture
        self._headers = headers
        self.timer: Timeout | None = None
        self.started = self.held = self.finished = False
        self.status, self.seconds = 0, 0.0
        self._began = time.perf_counter()
        self._endless = False

    @property
    def failed(self) -> bool:
        """The system says of itself that it failed."""
        return self.status >= 500

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
            if self._headers and not self.held:
                message = {**message, "headers": [*message["headers"], *self._headers]}
        elif kind in BODY and not message.get("more_body", False):
            self.finished = True
            if not self._endless:
                self.seconds = time.perf_counter() - self._began
        if self.held:
            return
        if self.capture is not None:
            self.capture.add(message)
        await self._send(message)

    def _start(self, message: Message) -> None:
        self.status = message["status"]
        self.held = self.status in FAILED and self.replaceable()
        self.started = not self.held
        self._endless = is_event_stream(message["headers"])
        self.seconds = time.perf_counter() - self._began
        if self.timer is not None:
            end = get_running_loop().time() + HELD_FOR if self.held else None
            self.timer.reschedule(end)

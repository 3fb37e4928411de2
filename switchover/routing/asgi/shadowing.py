"""The same request shown to the other system, as one ASGI call that nobody waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from switchover.errors import UpstreamFailed
from switchover.routing.asgi.answer import Answer, Capture, HttpReading, TooLong
from switchover.routing.asgi.measure import Measure
from switchover.routing.asgi.protocol import Message, Receive, Scope, Send, has_body
from switchover.routing.asgi.replay import Replay, recorded
from switchover.routing.asgi.reply import Reply
from switchover.routing.shadow import Call, Shadow

#: Marks a shadow call: its answer is compared, never used.
SHADOW_HEADER = (b"x-switchover-shadow", b"1")

#: Calls a system by its name.
CallSystem = Callable[[str, Scope, Receive, Send], Awaitable[None]]

_READING = HttpReading()


class Shadowing:
    """Hands answered requests to ``shadow``; answers are kept up to ``limit`` bytes."""

    def __init__(self, shadow: Shadow, call: CallSystem, measure: Measure, limit: int) -> None:
        self.shadow, self._call, self._measure, self._limit = shadow, call, measure, limit

    def capture(self, method: str) -> Capture | None:
        """What keeps the served answer; ``None`` (and counted) for methods not to be repeated."""
        if self.shadow.allows(method):
            return Capture(self._limit)
        self.shadow.counters["unsafe"] += 1
        return None

    def show(self, served: str, capture: Capture, scope: Scope, request: Replay) -> None:
        """Show the other system the request that ``served`` answered, if all of it is at hand."""
        answer, body = capture.answer(), request.kept()
        if answer is None:
            self.shadow.counters["unkept"] += 1
        elif body is None and has_body(scope["headers"]):
            self.shadow.counters["unread"] += 1
        elif served == "legacy" and answer.failed:
            self.shadow.counters["legacy_error"] += 1
        else:
            self.shadow.after(
                served,
                answer,
                self._asking("legacy" if served == "candidate" else "candidate", scope, body),
                again=self._asking("legacy", scope, body),
                method=scope["method"],
                reading=_READING,
            )

    def _asking(self, system: str, scope: Scope, body: bytes | None) -> Call:
        return lambda: self._ask(system, scope, body or b"")

    async def _ask(self, system: str, scope: Scope, body: bytes) -> Answer:
        capture = Capture(self._limit)

        async def collect(message: Message) -> None:
            capture.add(message)
            if capture.overflowed:
                raise TooLong(f"{system} answered with more than {self._limit} bytes")

        reply = Reply(collect)
        marked = {**scope, "headers": [*scope["headers"], SHADOW_HEADER]}
        # Extensions speak to the server about the caller's connection.
        marked.pop("extensions", None)
        try:
            await self._call(system, marked, recorded(body), reply)
        except TooLong:
            raise
        except BaseException:
            # The deadline ends a call by cancelling it, and that is a failure too.
            self._measure.count(system, reply, failed=True)
            raise
        answer = capture.answer()
        self._measure.count(system, reply, failed=answer is None or answer.failed)
        if answer is None:
            raise UpstreamFailed(system, "it ended without an answer")
        return answer

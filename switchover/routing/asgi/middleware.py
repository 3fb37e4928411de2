"""Two systems behind one ASGI application: each request goes to the side its key is on."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from switchover.errors import InputError, UpstreamFailed
from switchover.routing.asgi.answer import Capture
from switchover.routing.asgi.keys import KeyReader, key_reader
from switchover.routing.asgi.lifespan import Lifespan, serve_lifespan
from switchover.routing.asgi.measure import LATENCY, SUCCESS, Measure, Records
from switchover.routing.asgi.protocol import App, Message, Receive, Scope, Send
from switchover.routing.asgi.replay import Replay
from switchover.routing.asgi.reply import Reply
from switchover.routing.asgi.shadowing import Shadowing
from switchover.routing.breaker import Breaker
from switchover.routing.bucket import Key
from switchover.routing.candidate_failure import OnCandidateFailure
from switchover.routing.fallback import Fallback, Routes
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_pairs import SAFE_METHODS
from switchover.routing.snapshot import Decision

_log = logging.getLogger("switchover.asgi")

#: Says which system answered.
SYSTEM_HEADER = b"x-switchover-system"


class SwitchoverMiddleware:
    """Serves each request from ``app`` (legacy) or the candidate, as ``router`` says.

    The candidate is ``candidate_app``, or what answers at ``candidate_url``. ``key`` is a
    header's name, a function of the ASGI scope, or a reader from ``keys``; a request without
    a key stays on legacy while the split decides.

    If the candidate fails before its answer began (it raises, can't be reached, is silent
    for ``start_within`` seconds, or answers 500, 502, 503 or 504), legacy answers instead:
    for safe methods and those in ``repeatable``, with a body of at most ``buffer`` bytes,
    and for every request that certainly never reached the candidate. What else follows,
    ``on_candidate_failure``, ``rollback_after`` and ``breaker``, is told in :class:`Fallback`.
    ``expose`` adds the header ``x-switchover-system``.
    """

    def __init__(
        self,
        app: App,
        router: Routes,
        candidate_app: App | None = None,
        candidate_url: str = "",
        *,
        key: str | KeyReader | Callable[[Scope], Key | None],
        recorder: Records | None = None,
        shadow: Shadow | None = None,
        on_candidate_failure: OnCandidateFailure | None = None,
        rollback_after: int = 1,
        breaker: Breaker | None = None,
        repeatable: Iterable[str] = (),
        buffer: int = 1024 * 1024,
        start_within: float | None = None,
        expose: bool = False,
        success: tuple[str, ...] = SUCCESS,
        latency: tuple[str, ...] = LATENCY,
    ) -> None:
        if (candidate_app is None) == (not candidate_url):
            raise InputError("give the candidate as candidate_app or as candidate_url, one of them")
        if candidate_app is None:
            # Imported here, as an application with both sides in process needs no HTTP client.
            from switchover.routing.reverse.upstream import Upstream

            candidate_app = Upstream(candidate_url, "candidate")
        self._apps: dict[str, App] = {"legacy": app, "candidate": candidate_app}
        self._router, self._key = router, key_reader(key)
        self.fallback = Fallback(
            router, on_candidate_failure, after=rollback_after, breaker=breaker
        )
        self._measure = Measure(recorder, success, latency)
        self._shadowing = (
            Shadowing(shadow, self._call, self._measure, buffer) if shadow is not None else None
        )
        self._repeatable = SAFE_METHODS | {method.upper() for method in repeatable}
        self._buffer, self._start_within, self._expose = buffer, start_within, expose
        self._candidate_state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._apps["legacy"](scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Replay(receive, self._buffer)
        decision = await self._decide(scope, request)
        # For the other system: legacy may write into the original.
        copy = dict(scope)
        ticket = self.fallback.admit() if decision.system == "candidate" else 0
        if decision.system == "candidate" and not ticket:
            await self._legacy(scope, request, self._reply(send, "legacy"))
            return
        shadowing = self._shadowing if decision.shadow else None
        capture = shadowing.capture(scope["method"]) if shadowing else None
        if decision.system == "candidate":
            repeatable = scope["method"] in self._repeatable
            reply = self._reply(
                send, "candidate", capture, lambda: repeatable and not request.spent
            )
            failure = await self._candidate(copy, request, reply, decision, ticket)
            if failure:
                reply, capture = self._reply(send, "legacy"), None
                await self._legacy(scope, request, reply)
                if shadowing and reply.finished and reply.status < 500:
                    shadowing.shadow.failed(failure)
        else:
            await self._legacy(scope, request, self._reply(send, "legacy", capture))
        if shadowing and capture:
            shadowing.show(decision.system, capture, copy, request)

    async def _candidate(
        self, scope: Scope, request: Replay, reply: Reply, decision: Decision, ticket: int
    ) -> str:
        """Let the candidate answer; ``error`` or ``timeout`` when legacy has to."""
        item = f"a {scope['method']} request"
        try:
            async with asyncio.timeout(self._start_within) as reply.timer:
                await self._call("candidate", scope, request.reader(), reply)
            if not reply.started and not reply.held and not request.gone:
                raise UpstreamFailed("candidate", "it ended without an answer")
        except asyncio.CancelledError:
            self.fallback.abandon(ticket)
            raise
        except Exception as error:
            if request.gone and not reply.started:
                # Nobody waits for an answer any more.
                self.fallback.abandon(ticket)
                return ""
            self._measure.count("candidate", reply, failed=True)
            self.fallback.failed(ticket, decision, item, error)
            unsent = isinstance(error, UpstreamFailed) and not error.sent
            if reply.started or not (reply.replaceable() or (unsent and not request.spent)):
                raise
            late = isinstance(error, TimeoutError) or getattr(error, "status", 0) == 504
            return "timeout" if late else "error"
        if request.gone and not reply.finished:
            self.fallback.abandon(ticket)
            return ""
        if reply.finished and not reply.failed:
            self.fallback.succeeded(ticket)
            self._measure.count("candidate", reply, failed=False)
            return ""
        self._measure.count("candidate", reply, failed=True)
        bad = UpstreamFailed("candidate", f"it answered {reply.status}")
        self.fallback.failed(ticket, decision, item, bad)
        if reply.held and not reply.replaceable():
            raise bad
        return "error" if reply.held else ""

    async def _legacy(self, scope: Scope, request: Replay, reply: Reply) -> None:
        try:
            await self._apps["legacy"](scope, request.reader(), reply)
        except Exception:
            if not request.gone:
                self._measure.count("legacy", reply, failed=True)
            raise
        if reply.finished or not request.gone:
            self._measure.count("legacy", reply, failed=reply.failed or not reply.finished)

    async def _call(self, system: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Call a system with a scope of its own, so that what it writes there stays there."""
        state = self._candidate_state if system == "candidate" else scope.get("state", {})
        own = {**scope, "headers": list(scope["headers"]), "state": dict(state)}
        await self._apps[system](own, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The side is chosen once, at the handshake; a connection stays where it began."""
        decision = await self._decide(scope, None)
        ticket = self.fallback.admit() if decision.system == "candidate" else 0
        if ticket:
            copy, connect, begun = dict(scope), await receive(), False

            async def observed(message: Message) -> None:
                nonlocal begun
                if not begun:
                    # A connection may last for hours; that it came about is what counts.
                    self.fallback.succeeded(ticket)
                begun = True
                await send(message)

            try:
                await self._call("candidate", copy, _first(connect, receive), observed)
                if not begun:
                    self.fallback.abandon(ticket)
                return
            except Exception as error:
                if begun:
                    raise
                self.fallback.failed(ticket, decision, "a WebSocket handshake", error)
                _log.warning("a connection falls back to legacy: %r", error)
            receive = _first(connect, receive)
        await self._apps["legacy"](scope, receive, send)

    async def _decide(self, scope: Scope, request: Replay | None) -> Decision:
        try:
            key = await self._key.read(scope, request)
        except Exception:
            # A caller is served whatever its key looks like.
            _log.exception("the request's key can't be read")
            key = None
        if key is not None:
            return self._router.route(key)
        # Any key will do: without a split all have the same answer, and a share is shadowed.
        decision = self._router.route(uuid.uuid4().hex)
        if decision.reason in ("split:in", "split:out"):
            return Decision("legacy", "no_key", decision.epoch, decision.shadow)
        return decision

    def _reply(
        self,
        send: Send,
        system: str,
        capture: Capture | None = None,
        replaceable: Callable[[], bool] = lambda: False,
    ) -> Reply:
        exposed = ((SYSTEM_HEADER, system.encode()),) if self._expose else ()
        return Reply(send, replaceable=replaceable, capture=capture, headers=exposed)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        legacy = Lifespan(self._apps["legacy"], scope, "legacy", scope.get("state", {}))
        candidate = Lifespan(self._apps["candidate"], scope, "candidate", self._candidate_state)
        await serve_lifespan(
            (legacy, candidate), receive, send, self._candidate_is_down, self._drain
        )

    def _candidate_is_down(self, place: int, problem: str) -> None:
        _log.error("the candidate did not start, so legacy answers for it: %s", problem)

        async def down(scope: Scope, receive: Receive, send: Send) -> None:
            raise UpstreamFailed("candidate", f"it did not start: {problem}", sent=False)

        self._apps["candidate"] = down

    async def _drain(self) -> None:
        if self._shadowing is not None:
            await self._shadowing.shadow.close()
        await asyncio.to_thread(self.fallback.close)


def _first(message: Message, receive: Receive) -> Receive:
    """Receives ``message``, then what ``receive`` gives."""
    waiting = [message]

    async def receive_first() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_first

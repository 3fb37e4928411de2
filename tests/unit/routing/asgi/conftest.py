from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from switchover.routing.asgi.protocol import App, Message
from switchover.routing.snapshot import Decision


@dataclass
class Result:
    """What a client got."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {n.decode(): v.decode() for n, v in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages[1:])


class Client:
    """Speaks ASGI to an application, in one event loop per request or in the test's own."""

    def get(self, app: App, path: str = "/", **more: Any) -> Result:
        return asyncio.run(self.ask(app, path, **more))

    async def ask(
        self,
        app: App,
        path: str = "/",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: list[bytes] | None = None,
        query: str = "",
        kind: str = "http",
        leaves: bool = False,
        root_path: str = "",
    ) -> Result:
        named = {"host": "service.test", **(headers or {})}
        if body is not None:
            named.setdefault("content-length", str(sum(map(len, body))))
        parts = list(body or [b""])
        scope = {
            "type": kind,
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": root_path,
            "query_string": query.encode(),
            "headers": [(n.encode(), v.encode()) for n, v in named.items()],
            "client": ("192.0.2.7", 1234),
            "server": ("192.0.2.1", 80),
        }
        result = Result()

        async def receive() -> Message:
            if parts:
                part = parts.pop(0)
                return {"type": "http.request", "body": part, "more_body": bool(parts)}
            if not leaves:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            result.messages.append(message)

        await app(scope, receive, send)
        return result


@pytest.fixture
def client() -> Client:
    return Client()


class FixedRouter:
    """Routes by a table: key to system; the rest goes to legacy."""

    migration = "m"

    def __init__(self, **systems: str) -> None:
        self.systems, self.epoch = systems, 1
        self.shadow, self.reason = False, "split"

    @property
    def turned(self) -> int:
        return self.epoch

    def route(self, key: Any) -> Decision:
        system = self.systems.get(str(key), self.systems.get("default", "legacy"))
        side = ":in" if system == "candidate" else ":out"
        reason = self.reason + (side if self.reason == "split" else "")
        return Decision(system, reason, self.epoch, self.shadow)


@pytest.fixture
def router() -> FixedRouter:
    """Key ``c`` belongs to the candidate."""
    return FixedRouter(c="candidate")


Observation = tuple[str, Any, str]


class Records:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.pairs: list[tuple[Any, Any]] = []
        self.failures: list[str] = []
        self.noise: list[tuple[Any, Any]] = []

    def record(self, metric: str, value: Any, system: str) -> None:
        self.seen.append((metric, value, system))

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.pairs.append((legacy, candidate))

    def compare_failed(self, kind: str) -> None:
        self.failures.append(kind)

    def compare_noise(self, first: Any, second: Any) -> None:
        self.noise.append((first, second))

    def successes(self, metric: str = "success_rate") -> list[tuple[bool, str]]:
        return [(value, system) for name, value, system in self.seen if name == metric]


@pytest.fixture
def records() -> Records:
    return Records()


Handler = Callable[..., Awaitable[None]]


def system(
    name: str,
    *,
    status: int = 200,
    error: Exception | None = None,
    after_start: bool = False,
    reads: bool = True,
    document: str | None = None,
    hangs: bool = False,
    seen: list[dict[str, Any]] | None = None,
) -> App:
    """An application that answers with its name and the body it got."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", reads
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if seen is not None:
            seen.append({"scope": scope, "body": body})
        if hangs:
            await asyncio.Event().wait()
        if error is not None and not after_start:
            raise error
        kind = b"application/json" if document is not None else b"text/plain"
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if error is not None:
            raise error
        text = document.encode() if document is not None else f"{name}:".encode() + body
        await send({"type": "http.response.body", "body": text[:2], "more_body": True})
        await send({"type": "http.response.body", "body": text[2:]})

    return app


@pytest.fixture
def make() -> Callable[..., App]:
    return system

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from switchover.plan.spec import Plan
from switchover.routing.reverse.assembly import ProxyOptions, build_proxy
from switchover.routing.reverse.serve import listening, server
from switchover.routing.snapshot import Decision


@contextmanager
def running(made: uvicorn.Server) -> Iterator[str]:
    """The server in a thread of its own; its URL."""
    with listening("127.0.0.1:0") as sock:
        thread = threading.Thread(target=made.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not made.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        made.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


class System:
    """A system behind the proxy: one small application that does what the path says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[dict[str, Any]] = []
        self.cancelled = threading.Event()
        self.gate: asyncio.Event | None = None
        self.status = 200
        self.hold = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        call: dict[str, Any] = {
            "method": scope["method"],
            "target": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": {n.decode(): v.decode() for n, v in scope["headers"]},
            "length": 0,
        }
        self.seen.append(call)
        if path == "/echo":
            await self._start(send, 200)
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                call["length"] += len(message.get("body", b""))
                await send({"type": "http.response.body", "body": message["body"],
                            "more_body": True})  # fmt: skip
            await send({"type": "http.response.body", "body": b""})
            return
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            call["length"] += len(message.get("body", b""))
        if path == "/hang":
            while (await receive())["type"] != "http.disconnect":
                continue
            self.cancelled.set()
            return
        if path == "/events":
            await self._start(send, 200, (b"content-type", b"text/event-stream"))
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                continue
            self.cancelled.set()
            return
        if path.startswith("/blob/"):
            await self._start(send, 200)
            for _ in range(int(path.rpartition("/")[2])):
                await send({"type": "http.response.body", "body": bytes(65536),
                            "more_body": True})  # fmt: skip
            await send({"type": "http.response.body", "body": b""})
            return
        if path == "/break":
            await self._start(send, 200, (b"content-length", b"100"))
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ConnectionError("as ordered")
        if path.startswith("/status/"):
            status = int(path.rpartition("/")[2])
            await self._start(send, status, (b"x-own", b"kept"))
            await send({"type": "http.response.body", "body": b""})
            return
        if self.hold:
            await asyncio.sleep(self.hold)
        body = json.dumps({"by": self.name}).encode()
        await self._start(
            send,
            self.status,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"connection", b"x-private"),
            (b"x-private", b"1"),
        )
        await send({"type": "http.response.body", "body": body})

    async def _start(self, send: Any, status: int, *headers: tuple[bytes, bytes]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def _socket(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = {n.decode(): v.decode() for n, v in scope["headers"]}
        self.seen.append({"method": "WS", "target": scope["path"], "headers": headers})
        if scope["path"] == "/refused":
            await send({"type": "websocket.http.response.start", "status": 401,
                        "headers": [(b"x-why", b"token")]})  # fmt: skip
            await send({"type": "websocket.http.response.body", "body": b"no"})
            return
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": offered[-1] if offered else None})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4001, "reason": "told to"})
                return
            if message.get("text") is not None:
                text = f"{self.name}:{message['text']}"
                await send({"type": "websocket.send", "text": text})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        self.seen.append({"closed": message.get("code"), "reason": message.get("reason")})


class TableRouter:
    """Routes key ``c`` to the candidate; a stand-in where Redis is not the question."""

    migration = "m"

    def __init__(self) -> None:
        self.mode, self.epoch, self.shadow, self.healthy = "gradual", 1, False, True

    @property
    def turned(self) -> int:
        return self.epoch

    def route(self, key: Any) -> Decision:
        if self.mode == "candidate_only":
            return Decision("candidate", "mode:candidate_only", self.epoch, self.shadow)
        system = "candidate" if key == "c" else "legacy"
        reason = "split:in" if system == "candidate" else "split:out"
        return Decision(system, reason, self.epoch, self.shadow)


class Records:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, str]] = []
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

    def successes(self) -> list[tuple[bool, str]]:
        return [(value, system) for name, value, system in self.seen if name == "success_rate"]


class World:
    """A proxy between two systems, all of them real servers on loopback."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.legacy, self.candidate = System("legacy"), System("candidate")
        self.router, self.records = TableRouter(), Records()
        self.urls = {
            system.name: self._stack.enter_context(
                running(uvicorn.Server(uvicorn.Config(system, log_config=None, lifespan="off")))
            )
            for system in (self.legacy, self.candidate)
        }

    def plan(self, **more: Any) -> Plan:
        systems = {name: {"version": "1", "url": url} for name, url in self.urls.items()}
        document = {
            "switchover": 1,
            "migration": "m",
            "title": "M",
            "systems": systems,
            "request_key": {"field": "user"},
            "gates": [{"metric": "success_rate"}],
        }
        return Plan.model_validate({**document, **more})  # fmt: skip

    def proxy(self, *, options: ProxyOptions | None = None, store: Any = None, **plan: Any) -> str:
        """Start the proxy; its URL."""
        chosen = options or ProxyOptions(expose=True)
        router: Any = self.router
        app = build_proxy(self.plan(**plan), router, self.records, store, chosen)
        return self._stack.enter_context(running(server(app, chosen.limits)))

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()

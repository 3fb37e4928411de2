"""An application behind the middleware while Redis fails: every request gets its answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from switchover.machine.snapshot import Snapshot
from switchover.observe.recorder import Recorder
from switchover.routing import fallback
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.fallback import halt_in
from switchover.routing.router import Router
from switchover.routing.shadow import Shadow
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-user", b"u")]}


class Service:
    """Legacy and candidate in one process, asked by eight callers without pause."""

    def __init__(self, directory: Path) -> None:
        self.server = Valkey(directory).start()
        self.name = f"mood-{uuid4().hex}"
        self.store = RedisRoutingStore(self.server.url)
        self.store.write(Snapshot(self.name, 5, "candidate_only", shadow=10_000))
        self.router = Router(self.name, self.server.url, max_staleness=1.0)
        self.recorder = Recorder(self.name, self.server.url, flush_every=0.1)
        self.statuses: Counter[int] = Counter()
        self.latest: deque[str] = deque(maxlen=20)
        self.broken = False

    def system(self, name: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if name == "candidate" and self.broken:
                raise RuntimeError
            await asyncio.sleep(0)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": name.encode()})

        return app

    async def ask(self, app: Any) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            else:
                self.latest.append(message["body"].decode())

        while True:
            await app(dict(SCOPE), receive, send)
            await asyncio.sleep(0.001)

    def run(self, course: Callable[[Service], Any]) -> None:
        """Ask from eight sides while ``course`` happens."""

        async def main() -> None:
            shadow = Shadow(self.recorder)
            app = SwitchoverMiddleware(
                self.system("legacy"), self.router, self.system("candidate"), key="x-user",
                recorder=self.recorder, shadow=shadow, on_candidate_failure=halt_in(self.store),
            )  # fmt: skip
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(self.ask(app)) for _ in range(8)]
                await course(self)
                for caller in callers:
                    caller.cancel()
            await shadow.close()
            await asyncio.to_thread(app.fallback.close)

        with self.router, self.recorder:
            asyncio.run(main())

    async def served_by(self, system: str) -> None:
        """Wait until twenty answers in a row come from ``system``."""
        self.latest.clear()
        async with asyncio.timeout(30):
            while list(self.latest) != [system] * 20:
                await asyncio.sleep(0.01)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "valkey")
    yield service
    service.server.stop()


@pytest.mark.req("INV7", "INV9")
def test_requests_are_answered_while_redis_is_frozen(service: Service) -> None:
    """First by the candidate, then by legacy, then by the candidate again; never by an error."""

    async def course(service: Service) -> None:
        await service.served_by("candidate")
        os.kill(service.server.process.pid, signal.SIGSTOP)
        await service.served_by("legacy")
        os.kill(service.server.process.pid, signal.SIGCONT)
        await service.served_by("candidate")

    service.run(course)
    assert set(service.statuses) == {200}


@pytest.mark.req("T4")
def test_rollback_of_a_candidate_that_fails_while_redis_is_away_follows_once_it_is_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Legacy answers all along; the incident keeps its name, so there is one rollback."""
    monkeypatch.setattr(fallback, "PAUSE", 0.05)

    async def course(service: Service) -> None:
        await service.served_by("candidate")
        service.server.process.kill()
        service.broken = True
        await service.served_by("legacy")
        await asyncio.to_thread(service.server.start)
        async with asyncio.timeout(30):
            while service.router.mode != "emergency_rollback":
                await asyncio.sleep(0.01)
        await service.served_by("legacy")

    service.run(course)
    assert set(service.statuses) == {200}
    halt = service.store.halted(service.name)
    assert halt is not None
    assert (halt.id, halt.epoch, halt.trigger) == (
        f"{service.name}-candidate-5", 6, "candidate_failure",
    )  # fmt: skip

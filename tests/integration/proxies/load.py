"""Load on a proxy while its split changes: backends, workers, and what every answer said."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from switchover.machine.snapshot import Snapshot
from tests.integration.proxies.running import HEADER, STANDING, Running

_WORKERS = 8
_HEAD_END = b"\r\n\r\n"


class Backend(asyncio.Protocol):
    """A small HTTP server that says its name to every request."""

    def __init__(self, name: str, connections: set[asyncio.Transport]) -> None:
        self._connections = connections
        self._answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        *whole, self._waiting = (self._waiting + data).split(_HEAD_END)
        self._transport.write(self._answer * len(whole))


class Backends:
    """Both backends of a proxy, on the running loop."""

    async def listen(self, proxy: Running) -> None:
        loop = asyncio.get_running_loop()
        self._connections: set[asyncio.Transport] = set()
        self._servers = [
            await loop.create_server(partial(Backend, name, self._connections), "127.0.0.1", port)
            for name, port in (("legacy", proxy.legacy_port), ("candidate", proxy.candidate_port))
        ]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)


@contextmanager
def standing_backends(proxy: Running) -> Iterator[None]:
    """Both backends in a thread of their own, for tests that ask one request at a time."""
    loop, backends = asyncio.new_event_loop(), Backends()
    loop.run_until_complete(backends.listen(proxy))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(backends.close())
        loop.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's fate: which side answered, by which epoch, and when."""

    key: str
    side: str
    epoch: int
    started: float
    ended: float


@dataclass
class Load:
    """What the workers saw. ``reconnects`` counts kept connections that the proxy closed
    between two requests; a client opens another then, and has lost nothing."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    reconnects: int = 0

    def sides(self, epoch: int) -> dict[str, set[str]]:
        """By key, which sides answered under ``epoch``."""
        found: dict[str, set[str]] = {}
        for answer in self.answers:
            if answer.epoch == epoch:
                found.setdefault(answer.key, set()).add(answer.side)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """One split of the ramp, under load until ``requests`` were answered by it."""

    snapshot: Snapshot
    requests: int


@dataclass(frozen=True, slots=True)
class Change:
    """When a split was ordered, and when the adapter said that it is in force."""

    epoch: int
    ordered: float
    done: float


def drive(proxy: Running, keys: Sequence[str], steps: Sequence[Step]) -> tuple[Load, list[Change]]:
    """Apply ``steps`` one after another while workers ask for ``keys`` in turn."""
    return asyncio.run(asyncio.wait_for(_drive(proxy, keys, steps), 30))


async def _drive(
    proxy: Running, keys: Sequence[str], steps: Sequence[Step]
) -> tuple[Load, list[Change]]:
    load, changes, backends = Load(), list[Change](), Backends()
    await backends.listen(proxy)
    turns = cycle(keys)
    workers = [asyncio.create_task(_work(proxy.port, turns, load)) for _ in range(_WORKERS)]
    for step in steps:
        ordered = time.monotonic()
        await asyncio.to_thread(proxy.split.apply, step.snapshot)
        changes.append(Change(step.snapshot.epoch, ordered, time.monotonic()))
        first = len(load.answers)
        while len(load.answers) < first + step.requests and not any(w.done() for w in workers):
            await asyncio.sleep(0.005)
    for worker in workers:
        worker.cancel()
    for ended in await asyncio.gather(*workers, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError):
            load.failures.append(repr(ended))
    await backends.close()
    return load, changes


async def _work(port: int, turns: cycle[str], load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fresh = True
    try:
        for key in turns:
            started = time.monotonic()
            while True:
                request = f"GET / HTTP/1.1\r\nHost: proxy\r\n{HEADER}: {key}\r\n\r\n"
                try:
                    writer.write(request.encode())
                    head = await reader.readuntil(_HEAD_END)
                    break
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    begun = isinstance(error, asyncio.IncompleteReadError) and error.partial
                    if fresh or begun:
                        load.failures.append(f"{key}: {error!r}")
                        return
                    load.reconnects += 1
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    fresh = True
            fresh = False
            status, fields = _parse(head)
            body = await reader.readexactly(int(fields["content-length"]))
            if status != 200:
                load.failures.append(f"{key}: {status} {body!r}")
                continue
            epoch = int(fields[STANDING.lower()].split()[0])
            load.answers.append(Answer(key, body.decode(), epoch, started, time.monotonic()))
            if fields.get("connection") == "close":
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                fresh = True
    finally:
        writer.close()


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in fields.items()}

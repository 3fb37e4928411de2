"""A load of plain GET requests over kept connections: a parser of a few lines on bare asyncio.

Every answer has to carry a ``content-length``, as those of the benchmark's systems do.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

KEY_HEADER = "x-switchover-key"
#: Seconds after which a load that does not end is given up.
PATIENCE = 120.0


@dataclass
class Outcome:
    """What became of the requests; ``times`` in seconds, of the answered ones."""

    times: list[float] = field(default_factory=list)
    candidate: int = 0
    errors: int = 0
    seconds: float = 0.0


def requests() -> Iterator[bytes]:
    """Requests of ever new keys, so that a split has something to divide."""
    for number in itertools.count():
        yield (
            f"GET /predict?n={number} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n"
            f"{KEY_HEADER}: subject-{number}\r\n\r\n"
        ).encode()


class Caller(asyncio.Protocol):
    """One connection: one request after the other. ``ended`` is told after each of them."""

    def __init__(self, outcome: Outcome, ended: Callable[[Caller], None]) -> None:
        self._outcome, self._ended = outcome, ended
        self._answer, self._began = b"", 0.0
        self.busy = self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes) -> None:
        self.busy, self._began = True, time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ended, body = self._answer.partition(b"\r\n\r\n")
        if not ended:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self._answer, self.busy = b"", False
        if head[9:12] == b"200":
            self._outcome.times.append(time.perf_counter() - self._began)
            self._outcome.candidate += b"candidate" in body
        else:
            self._outcome.errors += 1
        self._ended(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        if self.busy:
            self.busy = False
            self._outcome.errors += 1
            self._ended(self)


async def callers(
    port: int, count: int, outcome: Outcome, ended: Callable[[Caller], None]
) -> list[Caller]:
    """``count`` open connections."""
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Caller(outcome, ended), "127.0.0.1", port))[1]
        for _ in range(count)
    ]


async def closed_load(port: int, count: int, concurrency: int) -> Outcome:
    """``count`` requests, ``concurrency`` at a time; a connection that breaks is not replaced."""
    outcome, source = Outcome(), itertools.islice(requests(), count)
    left, done = concurrency, asyncio.Event()

    def onward(caller: Caller) -> None:
        nonlocal left
        request = None if caller.gone else next(source, None)
        if request is not None:
            caller.send(request)
            return
        left -= 1
        if not left:
            done.set()

    lines = await callers(port, concurrency, outcome, onward)
    began = time.perf_counter()
    for line in lines:
        onward(line)
    await asyncio.wait_for(done.wait(), PATIENCE)
    outcome.seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    return outcome


async def paced_load(port: int, count: int, rate: float, connections: int = 4) -> Outcome:
    """``count`` requests, one every ``1 / rate`` seconds, on the connections in turn."""
    outcome = Outcome()
    lines = await callers(port, connections, outcome, lambda caller: None)
    began = time.perf_counter()
    for number, request in enumerate(itertools.islice(requests(), count)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        line = lines[number % connections]
        if line.busy or line.gone:
            # A server that is this slow at a low rate has failed the request.
            outcome.errors += 1
        else:
            line.send(request)
    deadline = time.perf_counter() + PATIENCE
    while any(line.busy for line in lines) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    outcome.seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    return outcome

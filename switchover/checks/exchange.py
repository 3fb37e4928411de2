"""HTTP for the checks: bounded in time and size, and a failing system is a value."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from switchover.contracts.replay import read_values
from switchover.errors import InputError
from switchover.plan.spec import Request, System

#: Bytes of an answer that are read; a longer one is a fault.
MAX_ANSWER = 8 * 1024 * 1024

#: Tells a service that nobody uses the answer, so that it may leave side effects out.
SHADOW_HEADER = "x-switchover-shadow"

Transport = httpx.AsyncBaseTransport | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``status`` is 0 and ``fault`` says why when nothing useful did."""

    status: int
    body: bytes
    seconds: float
    fault: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a complete answer with a 2xx status."""
        return not self.fault and 200 <= self.status < 300

    @property
    def trouble(self) -> str:
        """What is wrong, in words, when it is not `ok`."""
        return self.fault or f"status {self.status}"


@dataclass(frozen=True, slots=True)
class Calls:
    """The requests of one check: one address, and bodies that are taken in turn."""

    method: str
    url: str
    #: Line in the bodies file (0 without one) and the body.
    bodies: tuple[tuple[int, bytes | None], ...] = ((0, None),)

    def body(self, index: int) -> tuple[int, bytes | None]:
        return self.bodies[index % len(self.bodies)]


def calls(request: Request, system: System, directory: str) -> Calls:
    """The requests that a plan asks for; raises ``InputError`` for a bad bodies file."""
    url = system.url.rstrip("/") + request.path
    if request.json_file is None:
        return Calls(request.method, url)
    path = Path(directory) / request.json_file
    if not path.is_file():
        raise InputError(f"{path}: no such file of request bodies; correct json_file in the plan")
    bodies = tuple((line, json.dumps(value).encode()) for line, value in read_values(path))
    return Calls(request.method, url, bodies)


def open_client(transport: Transport, connections: int, timeout: float) -> httpx.AsyncClient:
    """A client that talks to the system itself: no proxy of the environment, no redirects."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(timeout),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        headers={
            "accept": "application/json",
            "accept-encoding": "identity",
            SHADOW_HEADER: "1",
        },
        trust_env=False,
        follow_redirects=False,
    )


async def ask(client: httpx.AsyncClient, method: str, url: str, body: bytes | None) -> Answer:
    """Send one request and read the whole answer; raises ``InputError`` for a bad address."""
    began = time.perf_counter()
    headers = {"content-type": "application/json"} if body is not None else {}
    content = bytearray()
    try:
        async with client.stream(method, url, content=body, headers=headers) as response:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_ANSWER:
                    fault = f"an answer of more than {MAX_ANSWER // 2**20} MiB"
                    return Answer(response.status_code, b"", time.perf_counter() - began, fault)
    except httpx.InvalidURL as error:
        raise InputError(f"{url}: not an address: {error}; correct the system's url") from error
    except httpx.TimeoutException:
        seconds = time.perf_counter() - began
        return Answer(0, b"", seconds, f"no answer within {seconds:.1f} s")
    except httpx.HTTPError as error:
        fault = f"no answer ({error or type(error).__name__})"
        return Answer(0, b"", time.perf_counter() - began, fault)
    return Answer(response.status_code, bytes(content), time.perf_counter() - began)


def finishes(work: Callable[[], Coroutine[Any, Any, None]], within: float) -> bool:
    """Run a coroutine to its end, or cancel it after ``within`` seconds and say so with False."""

    async def limited() -> bool:
        try:
            async with asyncio.timeout(within) as deadline:
                await work()
        except TimeoutError:
            if not deadline.expired():
                raise
            return False
        return True

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(limited())
    return _in_thread(limited)


def _in_thread(work: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    # The caller's thread runs an event loop already, and a thread can have only one.
    outcome: list[bool] = []
    errors: list[Exception] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work()))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=target, name="switchover-check")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return outcome[0]

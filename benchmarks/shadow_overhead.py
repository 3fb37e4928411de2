"""What shadowing adds to a caller's time: p99 with and without a candidate that takes 200 ms.

    python -m benchmarks.shadow_overhead [--requests 2000] [--delay 0.2] [--rate 200]

Sends requests through the middleware at a steady rate, in turns with shadowing off and on, so
that whatever else the machine does meets both alike. Prints one JSON document; times in
milliseconds. `added_p99_ms` is the figure: the median over the turns of p99 on less p99 off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.shadow import Shadow
from switchover.routing.snapshot import Decision

BODY = json.dumps({"risk_score": 0.42, "items": list(range(50))}).encode()
HEADERS = [(b"content-type", b"application/json")]
TURNS = 9


class Always:
    """Legacy serves; every request is shadowed, or none."""

    def __init__(self, shadow: bool) -> None:
        self._answer = Decision("legacy", "mode:parallel", 1, shadow)

    def route(self, key: Any) -> Decision:
        return self._answer


class Compared:
    """Counts what a recorder would be given, so that the recorder's own cost stays out."""

    def __init__(self) -> None:
        self.pairs = 0

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.pairs += legacy == candidate

    def compare_failed(self, kind: str) -> None:
        """Counted by the shadow."""

    def compare_noise(self, first: Any, second: Any) -> None:
        """Not asked for here."""


def service(delay: float) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if delay:
            await asyncio.sleep(delay)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})

    return app


async def one(app: Any, number: int) -> float:
    """Seconds until the last part of the answer was sent."""
    ended = 0.0
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http",
        "headers": [(b"x-user", str(number).encode())],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal ended
        ended = time.perf_counter()

    began = time.perf_counter()
    await app(scope, receive, send)
    return ended - began


async def turn(app: Any, requests: int, rate: float) -> list[float]:
    """Open load: requests begin on time, whatever became of the ones before."""
    begin, tasks = time.perf_counter(), []
    for number in range(requests):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(app, number)))
    return list(await asyncio.gather(*tasks))


def p(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


async def measure(requests: int, delay: float, rate: float) -> dict[str, Any]:
    compared = Compared()
    # Room for every call that the rate keeps in flight, so that none is saved by shedding.
    shadow = Shadow(compared, concurrency=max(16, round(rate * delay * 4)), deadline=10 * delay)
    apps = {
        name: SwitchoverMiddleware(
            service(0.0), Always(name == "on"), service(delay), key="x-user", shadow=shadow
        )
        for name in ("off", "on")
    }
    times: dict[str, list[float]] = {"off": [], "on": []}
    added: list[float] = []
    each = max(50, requests // TURNS)
    for app in apps.values():
        await turn(app, 50, rate)
    await shadow.drain()
    shadow.counters.clear()
    for number in range(TURNS):
        p99 = {}
        for name in ("off", "on") if number % 2 else ("on", "off"):
            found = await turn(apps[name], each, rate)
            times[name] += found
            p99[name] = p(found, 0.99)
            await shadow.drain()
        added.append(p99["on"] - p99["off"])
    return {
        "benchmark": "shadow_overhead",
        "requests": TURNS * each,
        "rate_per_second": rate,
        "candidate_delay_ms": delay * 1000,
        "off": {"p50_ms": p(times["off"], 0.5), "p99_ms": p(times["off"], 0.99)},
        "on": {"p50_ms": p(times["on"], 0.5), "p99_ms": p(times["on"], 0.99)},
        "added_p99_ms": statistics.median(added),
        "shadow": dict(shadow.counters),
        "target_ms": 1.0,
    }


def main() -> None:
    options = argparse.ArgumentParser(description="Shadowing's share of a caller's time")
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--delay", type=float, default=0.2, help="seconds the candidate takes")
    options.add_argument("--rate", type=float, default=200.0, help="requests per second")
    given = options.parse_args()
    print(json.dumps(asyncio.run(measure(given.requests, given.delay, given.rate)), indent=2))


if __name__ == "__main__":
    main()

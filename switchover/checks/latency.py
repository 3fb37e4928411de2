"""Latency check: a short benchmark whose quantile must lie below a limit with confidence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx

from switchover.checks.exchange import (
    Answer,
    Calls,
    Transport,
    ask,
    calls,
    finishes,
    open_client,
)
from switchover.checks.outcome import Outcome
from switchover.checks.quantile import CONFIDENCE, estimate, needed, upper_bound
from switchover.plan.spec import LatencyCheck, System

#: After so many failed requests the rest is not sent: the check has failed anyway.
GIVE_UP = 10
#: Requests of each worker before the first that counts: connections, caches, lazy imports.
WARM_UP = 3


@dataclass(slots=True)
class Benchmark:
    """The requests of a benchmark, shared by its workers."""

    calls: Calls
    requests: int
    taken: int = 0
    seconds: list[float] = field(default_factory=list)
    failures: list[tuple[int, Answer]] = field(default_factory=list)

    async def warm(self, client: httpx.AsyncClient, worker: int) -> None:
        """Requests that do not count."""
        for index in range(WARM_UP):
            _, body = self.calls.body(worker + index)
            await ask(client, self.calls.method, self.calls.url, body)

    async def work(self, client: httpx.AsyncClient) -> None:
        """Send requests until all are taken or too many failed."""
        while self.taken < self.requests and len(self.failures) < GIVE_UP:
            line, body = self.calls.body(self.taken)
            self.taken += 1
            answer = await ask(client, self.calls.method, self.calls.url, body)
            if answer.ok:
                self.seconds.append(answer.seconds)
            else:
                self.failures.append((line, answer))


def check_latency(
    check: LatencyCheck, system: System, directory: str, transport: Transport
) -> Outcome:
    """Send ``check.requests`` requests with ``check.concurrency`` workers.

    Passes when all are answered with 2xx and the 95 % upper confidence bound of the quantile
    is at most the limit. Times run until the last byte and include this client's own work.
    """
    bench = Benchmark(calls(check.request, system, directory), check.requests)

    async def work() -> None:
        async with open_client(transport, check.concurrency, check.timeout) as client:
            await asyncio.gather(*(bench.warm(client, n) for n in range(check.concurrency)))
            await asyncio.gather(*(bench.work(client) for _ in range(check.concurrency)))

    in_time = finishes(work, check.timeout)
    return _conclude(check, bench, in_time)


def _conclude(check: LatencyCheck, bench: Benchmark, in_time: bool) -> Outcome:
    ordered = sorted(bench.seconds)
    bound = upper_bound(ordered, check.quantile)
    detail = {
        "url": bench.calls.url,
        "requests": check.requests,
        "answered": len(ordered),
        "failures": len(bench.failures),
        "concurrency": check.concurrency,
        "quantile": check.quantile,
        "limit": check.at_most,
        "confidence": CONFIDENCE,
        "needed": needed(check.quantile),
        "estimate": round(estimate(ordered, check.quantile), 6) if ordered else None,
        "median": round(estimate(ordered, 0.5), 6) if ordered else None,
        "upper_bound": round(bound, 6) if bound is not None else None,
    }
    name = f"p{check.quantile * 100:g}"
    if bench.failures:
        line, answer = bench.failures[0]
        where = f" (body at line {line})" if line else ""
        sent = len(ordered) + len(bench.failures)
        return Outcome(
            False,
            f"{len(bench.failures)} of {sent} requests failed, the first{where} with "
            f"{answer.trouble}; correct {check.system} or the requests",
            detail,
        )
    if not in_time:
        return Outcome(
            False,
            f"{len(ordered)} of {check.requests} requests were answered within "
            f"{check.timeout:g} s; raise timeout, or make {check.system} faster",
            detail,
        )
    seen = f"{name} of {len(ordered)} answers is {_ms(estimate(ordered, check.quantile))}"
    if bound is None:
        return Outcome(
            False,
            f"{seen}, but so few can't bound it with 95 % confidence; "
            f"set requests to {detail['needed']} or more",
            detail,
        )
    sentence = (
        f"{seen}, with 95 % confidence at most {_ms(bound)}; the limit is {_ms(check.at_most)}"
    )
    if bound <= check.at_most:
        return Outcome(True, sentence, detail)
    advice = f"make {check.system} faster"
    if estimate(ordered, check.quantile) <= check.at_most:
        advice = "send more requests to be surer, or " + advice
    return Outcome(False, f"{sentence}; {advice}", detail)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.4g} ms"

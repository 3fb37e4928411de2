"""Who calls both systems: alone, with Switchover's shadows, and with their peers.

Legacy answers at once, the candidate after ``delay`` seconds; whoever shadows compares the two
answers with ``==`` and counts, so that nobody's telemetry is part of the figure.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.routing.load import CALLERS, tasks, threads
from switchover.routing.asgi.middleware import SwitchoverMiddleware
from switchover.routing.shadow import Shadow
from switchover.routing.shadow_thread import ThreadShadow
from switchover.routing.snapshot import Decision

ANSWER = {"risk_score": 0.42, "items": list(range(50))}
BODY = json.dumps(ANSWER).encode()
HEADERS = [(b"content-type", b"application/json")]

#: Sends this many requests at this rate, and gives the seconds each kept its caller.
Turn = Callable[[int, float], list[float]]


class Compared:
    """Counts the pairs that agreed; stands where a recorder would."""

    def __init__(self) -> None:
        self.pairs, self._lock = 0, threading.Lock()

    def compare(self, legacy: Any, candidate: Any) -> bool:
        """Called by the shadows and, as its comparison, by LaunchDarkly's migrator."""
        with self._lock:
            self.pairs += legacy == candidate
        return bool(legacy == candidate)

    def compare_failed(self, kind: str) -> None:
        raise RuntimeError(f"a shadow call ended as {kind}; the benchmark's settings are wrong")

    def compare_noise(self, first: Any, second: Any) -> None:
        raise RuntimeError("nobody asked for a second call to legacy")


@dataclass(frozen=True, slots=True)
class Caller:
    """One way to call; ``beside`` names the caller without a shadow that it is held against."""

    name: str
    setting: str
    turn: Turn
    compared: Compared
    beside: str = ""


def callers(delay: float, stack: ExitStack) -> list[Caller]:
    """Everybody who is measured; ``stack`` closes what they opened."""

    def legacy(*_: Any) -> Any:
        return ANSWER

    def candidate(*_: Any) -> Any:
        time.sleep(delay)
        return dict(ANSWER)

    return [
        *_in_threads(legacy, candidate, delay, stack),
        *_in_event_loop(delay, stack),
    ]


def _in_threads(
    legacy: Callable[..., Any], candidate: Callable[..., Any], delay: float, stack: ExitStack
) -> Iterator[Caller]:
    alone = "legacy alone, in a thread"
    yield Caller(alone, "", lambda n, rate: threads(legacy, n, rate), Compared())

    compared = Compared()
    # As many threads as there are callers: nothing is shed here, as the peers shed nothing.
    shadow = ThreadShadow(compared, concurrency=CALLERS, queue=CALLERS, deadline=10 * delay + 1)
    stack.callback(shadow.close)

    def ours(number: int) -> Any:
        answer = legacy()
        shadow.after("legacy", answer, candidate)
        return answer

    yield Caller(
        "Switchover ThreadShadow",
        f"{CALLERS} threads, queue of {CALLERS}; the candidate is called after the answer",
        lambda n, rate: threads(ours, n, rate),
        compared,
        alone,
    )
    yield _migrator(legacy, candidate, alone, stack)
    yield _laboratory(legacy, candidate, alone)


def _migrator(
    legacy: Callable[..., Any], candidate: Callable[..., Any], alone: str, stack: ExitStack
) -> Caller:
    from ldclient import Context, LDClient, Result
    from ldclient.config import Config
    from ldclient.integrations.test_data import TestData
    from ldclient.migrations import ExecutionOrder, MigratorBuilder, Stage

    data = TestData.data_source()
    stages = [stage.value for stage in Stage]
    place = stages.index(Stage.SHADOW.value)
    data.update(data.flag("move").variations(*stages).variation_for_all(place))
    client = LDClient(
        Config(
            "sdk-offline", update_processor_class=data, send_events=False, diagnostic_opt_out=True
        )
    )
    stack.callback(client.close)
    compared = Compared()
    builder = MigratorBuilder(client)
    builder.read_execution_order(ExecutionOrder.PARALLEL).track_latency(False).track_errors(False)
    builder.read(
        lambda _: Result.success(legacy()),
        lambda _: Result.success(candidate()),
        compared.compare,
    )
    builder.write(lambda _: Result.success(legacy()), lambda _: Result.success(candidate()))
    migrator = builder.build()

    def call(number: int) -> Any:
        return migrator.read("move", Context.create(f"subject-{number}"), Stage.OFF).value

    return Caller(
        "LaunchDarkly migrator",
        "read in stage shadow, both at once (ExecutionOrder.PARALLEL), latency and error "
        "tracking off, events off",
        lambda n, rate: threads(call, n, rate),
        compared,
        alone,
    )


def _laboratory(legacy: Callable[..., Any], candidate: Callable[..., Any], alone: str) -> Caller:
    from laboratory import Experiment

    compared = Compared()

    class Counted(Experiment):  # type: ignore[misc]
        def publish(self, result: Any) -> None:
            compared.compare(result.control.value, result.candidates[0].value)

    def call(number: int) -> Any:
        experiment = Counted(name="move")
        experiment.control(legacy)
        experiment.candidate(candidate)
        return experiment.conduct()

    return Caller(
        "laboratory",
        "an Experiment per call, control and candidate in random order",
        lambda n, rate: threads(call, n, rate),
        compared,
        alone,
    )


class _Always:
    """Legacy serves; every request is shadowed, or none."""

    migration, turned = "bench", 1

    def __init__(self, shadow: bool) -> None:
        self._answer = Decision("legacy", "mode:parallel", 1, shadow)

    def route(self, key: Any) -> Decision:
        return self._answer


def _in_event_loop(delay: float, stack: ExitStack) -> Iterator[Caller]:
    alone, runner = "legacy alone, ASGI middleware", stack.enter_context(asyncio.Runner())
    for name, setting, shadowed in (
        (alone, "SwitchoverMiddleware without shadowing", False),
        (
            "Switchover Shadow, ASGI middleware",
            f"{CALLERS} calls at once; body read, answer kept and compared",
            True,
        ),
    ):
        compared = Compared()
        shadow = Shadow(compared, concurrency=CALLERS, queue=CALLERS, deadline=10 * delay + 1)
        app = SwitchoverMiddleware(
            _service(0.0), _Always(shadowed), _service(delay), key="x-user", shadow=shadow
        )

        def turn(n: int, rate: float, app: Any = app, shadow: Shadow = shadow) -> list[float]:
            async def whole() -> list[float]:
                found = await tasks(lambda number: _request(app, number), n, rate)
                await shadow.drain()
                return found

            return runner.run(whole())

        yield Caller(name, setting, turn, compared, alone if shadowed else "")


def _service(delay: float) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if delay:
            await asyncio.sleep(delay)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})

    return app


async def _request(app: Any, number: int) -> float:
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

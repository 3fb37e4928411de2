"""A webhook router with everything around it in memory, walked by a thread or an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import Key
from switchover.routing.candidate_failure import CandidateFailure
from switchover.routing.snapshot import Decision, compile_snapshot, decide
from switchover.routing.webhook import WebhookRouter
from switchover.routing.webhook_outcome import Outcome
from switchover.testing.claims import InMemoryClaims


class Routes:
    """A router whose document the test sets."""

    migration = "agents"

    def __init__(self) -> None:
        self.set("legacy_only")

    def set(self, mode: str, epoch: int = 1, shadow: int = 0, split: int = 0) -> None:
        snapshot = Snapshot("agents", epoch, mode, split, shadow)
        self.table, self.turned = compile_snapshot(snapshot), epoch

    def route(self, key: Key) -> Decision:
        return decide(self.table, key)


class Recorded:
    """What a recorder was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.pairs: list[Any] = []

    def record(self, metric: str, value: bool | float, system: str) -> None:
        if metric == "success_rate":
            self.calls.append((system, value))

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.pairs.append((legacy, candidate))

    def compare_failed(self, kind: str) -> None:
        self.pairs.append(kind)

    def compare_noise(self, first: Any, second: Any) -> None:
        self.pairs.append(("noise", first, second))


class World:
    """A webhook router with everything around it in memory. ``walk`` is ``sync`` or ``async``."""

    def __init__(self, walk: str) -> None:
        self.walk = walk
        self.routes, self.recorded = Routes(), Recorded()
        self.claims = InMemoryClaims("agents")
        self.called: list[str] = []
        self.failures: list[CandidateFailure] = []
        self.answers: dict[str, Callable[[Any], Any]] = {
            "legacy": lambda event: {"by": "legacy", "n": event["id"]},
            "candidate": lambda event: {"by": "candidate", "n": event["id"]},
        }

    def handler(self, system: str) -> Callable[[Any], Any]:
        def plain(event: Any) -> Any:
            self.called.append(system)
            return self.answers[system](event)

        async def coroutine(event: Any) -> Any:
            await asyncio.sleep(0)
            return plain(event)

        return coroutine if self.walk == "async" else plain

    def hooks(self, **options: Any) -> WebhookRouter:
        return WebhookRouter(
            self.routes,
            self.claims,
            {system: self.handler(system) for system in ("legacy", "candidate")},
            {"opened", "edited"},
            lambda event: event["id"],
            **{
                "recorder": self.recorded,
                "on_candidate_failure": self.failures.append,
                **options,
            },
        )

    def deliver(self, *ids: str, kind: str = "opened", **options: Any) -> list[Outcome]:
        """Deliver to one router, one after the other, and wait for what runs beside."""
        hooks = self.hooks(**options)
        events = [{"action": kind, "id": name} for name in ids]
        if self.walk == "sync":
            try:
                return [hooks.handle(event) for event in events]
            finally:
                hooks.close()

        async def deliver() -> list[Outcome]:
            try:
                return [await hooks.handle_async(event) for event in events]
            finally:
                await hooks.aclose()

        return asyncio.run(deliver())


def fail(event: Any) -> Any:
    raise RuntimeError("broken")

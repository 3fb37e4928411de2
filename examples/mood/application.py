"""The clinic's application: it asks for an assessment and hands it to decision support.

What moving to another system adds is marked ``# switchover``: ask the router whom to call,
tell the recorder how it went, and show the other system the same request afterwards.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from examples.mood.adapters import to_cds_v1
from examples.mood.cds import DecisionSupport, Refused, Triage
from examples.mood.connections import Connections, Unanswered
from switchover import Decision, Recorder, Router

log = logging.getLogger(__name__)

#: Seconds to wait for the system that serves, for the fallback, and for a shadow call.
SERVE_WITHIN, FALL_BACK_WITHIN, SHADOW_WITHIN = 1.0, 3.0, 2.0
#: Shadow calls in flight at most; more are shed and counted.
SHADOWS = 16
MEMORY_EVERY = 5.0


class NoAssessment(Exception):
    """Neither system gave an answer that the caller could use."""


@dataclass(frozen=True)
class Outcome:
    """What one system made of one request: an answer for the consumer, or a failure."""

    system: str
    answer: dict[str, Any] | None = None
    triage: Triage | None = None
    failure: str = ""


@dataclass(frozen=True)
class Assessment:
    """What the caller gets: who answered, and the consumer's triage."""

    system: str
    triage: Triage
    fell_back: bool


class Clinic:
    """Serves assessments from two systems, one of them moving in."""

    def __init__(
        self, router: Router, recorder: Recorder, legacy: Connections, candidate: Connections
    ) -> None:
        self.router, self.recorder = router, recorder
        self.systems = {"legacy": legacy, "candidate": candidate}
        self.consumer = DecisionSupport("v1")
        self.shadows: Counter[str] = Counter()
        self._running: set[asyncio.Task[None]] = set()

    async def assess(self, week: Mapping[str, Any], request_id: str) -> Assessment:
        """One request. Raises ``NoAssessment`` when neither system could answer it."""
        body = json.dumps(week).encode()
        decision = self.router.route(week["subject"])  # switchover
        outcome = await self._ask(decision.system, body, request_id, SERVE_WITHIN)
        if outcome.failure and decision.system == "candidate":
            first, outcome = outcome, await self._ask("legacy", body, request_id, FALL_BACK_WITHIN)
            self._compare(outcome, first, decision)
        elif decision.shadow:
            self._show(decision, outcome, body, request_id)
        if outcome.triage is None:
            raise NoAssessment(f"{outcome.system}: {outcome.failure}")
        return Assessment(outcome.system, outcome.triage, outcome.system != decision.system)

    async def _ask(
        self, system: str, body: bytes, request_id: str, within: float, *, shadow: bool = False
    ) -> Outcome:
        """Call one system, record how it went, and hand its answer to the consumer."""
        headers = {"x-request-id": request_id} | ({"x-switchover-shadow": "1"} if shadow else {})
        began = time.perf_counter()
        try:
            reply = await self.systems[system].post("/predict", body, headers, timeout=within)
            failure = "" if reply.status == 200 else "error"
        except TimeoutError:
            failure = "timeout"
        except Unanswered as error:
            log.debug("%s did not answer: %s", system, error)
            failure = "unreachable"
        if failure != "unreachable":  # a refused connection is quick, and says nothing of speed
            seconds = time.perf_counter() - began
            self.recorder.record("prediction_latency_p99", seconds, system=system)  # switchover
        self.recorder.record("success_rate", not failure, system=system)  # switchover
        if failure:
            return Outcome(system, failure=failure)
        try:
            answer = json.loads(reply.body)
            if system == "candidate":
                answer = to_cds_v1(answer)
            outcome = Outcome(system, answer, self.consumer.consume(answer))
        except (Refused, ValueError) as error:
            log.debug("%s: %s", system, error)
            outcome = Outcome(system, failure="contract")
        good = not outcome.failure
        self.recorder.record("cds_integration_errors", good, system=system)  # switchover
        return outcome

    def _show(self, decision: Decision, served: Outcome, body: bytes, request_id: str) -> None:
        """Show the other system the same request, after the answer, as far as there is room."""
        if len(self._running) >= SHADOWS:
            self.shadows["shed"] += 1
            self.recorder.compare_failed("shed")  # switchover
            return
        task = asyncio.create_task(self._shadow(decision, served, body, request_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _shadow(
        self, decision: Decision, served: Outcome, body: bytes, request_id: str
    ) -> None:
        other = await self._ask(decision.other, body, request_id, SHADOW_WITHIN, shadow=True)
        self.shadows[other.failure or "answered"] += 1
        legacy, candidate = (served, other) if served.system == "legacy" else (other, served)
        self._compare(legacy, candidate, decision)

    def _compare(self, legacy: Outcome, candidate: Outcome, decision: Decision) -> None:
        """Where legacy itself failed there is nothing to compare with."""
        if legacy.answer is None:
            return
        if candidate.answer is None:
            kind = "timeout" if candidate.failure == "timeout" else "error"
            self.recorder.compare_failed(kind)  # switchover
        else:
            self.recorder.compare(legacy.answer, candidate.answer)  # switchover

    async def watch_memory(self, every: float = MEMORY_EVERY) -> None:
        """Record both systems' memory every few seconds, until cancelled."""
        while True:
            for system, service in self.systems.items():
                try:
                    reply = await service.get("/metrics.json", timeout=2.0)
                    size = float(json.loads(reply.body)["rss_bytes"])
                    self.recorder.record("memory_usage_delta", size, system=system)  # switchover
                except (TimeoutError, Unanswered, ValueError, KeyError) as error:
                    log.debug("no memory figure of %s: %r", system, error)
            await asyncio.sleep(every)

    async def close(self) -> None:
        """Wait for the shadow calls in flight and drop the connections."""
        await asyncio.gather(*self._running)
        for service in self.systems.values():
            service.close()

"""The mood example's application and tallies, with systems that the test plays itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from examples.mood.application import SHADOWS, Clinic, NoAssessment
from examples.mood.connections import Answer, Connections, Unanswered
from examples.mood.generated import SEED, generate
from examples.mood.tallies import Tallies
from examples.mood.weeks import cut
from switchover import Decision


class FixedRouter:
    """Sends everything one way."""

    migration, mode, epoch = "mood", "gradual", 1

    def __init__(self, system: str, shadow: bool) -> None:
        self.decision = Decision(system, "test", 1, shadow)

    def route(self, key: str) -> Decision:
        return self.decision


class Notes:
    """A recorder that keeps everything."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str, object]] = Counter()
        self.pairs: list[object] = []

    def record(self, metric: str, value: float, system: str) -> None:
        self.seen[metric, system, value if isinstance(value, bool) else "measured"] += 1

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.pairs.append((legacy["risk_score"], candidate["risk_score"]))

    def compare_failed(self, kind: str) -> None:
        self.pairs.append(kind)


class Played:
    """A system that answers as told: a risk, a status, or an exception; and waits if asked."""

    def __init__(self, says: float | int | Exception, gate: asyncio.Event | None = None) -> None:
        self.says, self.gate = says, gate
        self.headers: list[dict[str, str]] = []

    async def post(
        self, path: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> Answer:
        self.headers.append(headers)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.says, Exception):
            raise self.says
        if isinstance(self.says, int):
            return Answer(self.says, b"")
        answer = {
            "model_version": "0.2.0",
            "subject": json.loads(body)["subject"],
            "window_end": "2026-01-12T09:00:00+00:00",
            "horizon_hours": 24,
            "risk_score": self.says,
            "generated_at": "2026-01-12T09:00:01+00:00",
        }
        return Answer(200, json.dumps(answer).encode())

    def close(self) -> None:
        self.gate = None


WEEK = cut(generate(subjects=1, days=9, seed=SEED)).requests()[0]


def clinic(system: str, legacy: Played, candidate: Played, *, shadow: bool = False) -> Clinic:
    return Clinic(FixedRouter(system, shadow), Notes(), legacy, candidate)  # type: ignore[arg-type]


def notes(of: Clinic) -> Notes:
    recorder = of.recorder
    assert isinstance(recorder, Notes)
    return recorder


@pytest.mark.parametrize(
    ("says", "kind", "timed"),
    [
        (500, "error", True),
        (TimeoutError(), "timeout", True),
        (Unanswered("nobody"), "error", False),
        (1.7, "error", True),
    ],
)
@pytest.mark.req("M1")
def test_every_way_a_candidate_can_fail_falls_back_to_legacy(
    says: float | int | Exception, kind: str, timed: bool
) -> None:
    """The caller gets legacy's triage; the failure is recorded, a refused call without a time."""

    async def run() -> None:
        tried = clinic("candidate", Played(0.8), Played(says))
        assessment = await tried.assess(WEEK, "r1")
        assert (assessment.system, assessment.fell_back) == ("legacy", True)
        assert assessment.triage.urgency == "urgent"
        seen = notes(tried).seen
        assert notes(tried).pairs == [kind]
        bad = ("cds_integration_errors" if says == 1.7 else "success_rate", "candidate", False)
        assert seen[bad] == 1
        assert seen["prediction_latency_p99", "candidate", "measured"] == timed
        assert seen["success_rate", "legacy", True] == 1

    asyncio.run(run())


@pytest.mark.req("M1")
def test_when_legacy_fails_the_caller_is_told_and_nothing_is_compared() -> None:
    """There is no second way out, and a pair without legacy says nothing of the candidate."""

    async def run() -> None:
        tried = clinic("legacy", Played(503), Played(0.5), shadow=True)
        with pytest.raises(NoAssessment, match="legacy: error"):
            await tried.assess(WEEK, "r1")
        await tried.close()
        assert notes(tried).pairs == []

    asyncio.run(run())


@pytest.mark.req("INV9")
def test_the_caller_has_the_answer_before_the_shadow_call_ends() -> None:
    """A shadow that hangs holds up nobody; it is marked, and compared once it answers."""

    async def run() -> None:
        gate = asyncio.Event()
        candidate = Played(0.5, gate)
        tried = clinic("legacy", Played(0.4), candidate, shadow=True)
        assert (await tried.assess(WEEK, "r1")).system == "legacy"
        assert notes(tried).pairs == []
        gate.set()
        await tried.close()
        assert notes(tried).pairs == [(0.4, 0.5)]
        assert candidate.headers[0]["x-switchover-shadow"] == "1"
        assert candidate.headers[0]["x-request-id"] == "r1"

    asyncio.run(run())


@pytest.mark.req("INV9")
def test_shadow_calls_are_bounded_and_shed_ones_count_as_disagreements() -> None:
    """Beyond the limit nothing more is sent, and each is recorded as shed."""

    async def run() -> None:
        gate = asyncio.Event()
        candidate = Played(0.4, gate)
        tried = clinic("legacy", Played(0.4), candidate, shadow=True)
        for number in range(SHADOWS + 3):
            await tried.assess(WEEK, f"r{number}")
        await asyncio.sleep(0)
        assert len(candidate.headers) == SHADOWS
        assert notes(tried).pairs == ["shed"] * 3
        gate.set()
        await tried.close()
        assert tried.shadows == {"shed": 3, "answered": SHADOWS}

    asyncio.run(run())


@pytest.mark.req("M1")
def test_a_served_candidate_is_compared_with_the_shadowed_legacy() -> None:
    """The pair keeps its sides, whoever served."""

    async def run() -> None:
        legacy = Played(0.1)
        tried = clinic("candidate", legacy, Played(0.9), shadow=True)
        assert (await tried.assess(WEEK, "r1")).system == "candidate"
        await tried.close()
        assert notes(tried).pairs == [(0.1, 0.9)]
        assert legacy.headers[0]["x-switchover-shadow"] == "1"

    asyncio.run(run())


@pytest.mark.req("M1")
def test_tallies_give_quantiles_within_two_percent() -> None:
    """Over latencies from 1 ms to 1 s, in constant memory."""
    tallies = Tallies(100)
    for milliseconds in range(1, 1001):
        system = "candidate" if milliseconds % 2 else "legacy"
        tallies.answered(system, milliseconds / 1000, fell_back=False)
    tallies.failed("legacy: error")
    report = tallies.as_json()
    assert report["latency_seconds"]["p50"] == pytest.approx(0.5, rel=0.021)
    assert report["latency_seconds"]["p99"] == pytest.approx(0.99, rel=0.021)
    assert report["latency_seconds"]["max"] == 1.0
    assert (report["requests"], report["failed"]) == (1001, 1)


@pytest.mark.parametrize("url", ["127.0.0.1:80", "https://127.0.0.1", "http://", ""])
@pytest.mark.req("M1")
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything is sent, with an example of a good one."""
    with pytest.raises(ValueError, match=r"give it as http://127\.0\.0\.1"):
        Connections(url)

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from switchover.errors import InputError
from switchover.routing.shadow import Shadow


class Recorded:
    """Takes pairs as a recorder does, and remembers them."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []
        self.failures: list[str] = []
        self.noise: list[tuple[Any, Any]] = []

    def compare(self, legacy: Any, candidate: Any) -> None:
        self.pairs.append((legacy, candidate))

    def compare_failed(self, kind: str) -> None:
        self.failures.append(kind)

    def compare_noise(self, first: Any, second: Any) -> None:
        self.noise.append((first, second))


def answering(value: Any) -> Any:
    async def call() -> Any:
        return value

    return call


def failing(error: Exception) -> Any:
    async def call() -> Any:
        raise error

    return call


def hanging() -> Any:
    async def call() -> Any:
        await asyncio.Event().wait()

    return call


@pytest.mark.req("INV9")
@pytest.mark.parametrize("served", ["legacy", "candidate"])
def test_the_pair_is_compared_with_legacy_first(served: str) -> None:
    """Whoever served, the recorder gets legacy's answer and then the candidate's."""
    recorder = Recorded()

    async def run() -> None:
        shadow = Shadow(recorder)
        other = "candidate" if served == "legacy" else "legacy"
        assert shadow.after(served, f"of {served}", answering(f"of {other}"))
        assert await shadow.drain()
        assert shadow.counters == {"ok": 1}

    asyncio.run(run())
    assert recorder.pairs == [("of legacy", "of candidate")]


@pytest.mark.req("INV9")
def test_nothing_of_the_other_side_runs_before_after_returns() -> None:
    """The caller's answer is out before the shadow call begins."""
    began: list[str] = []

    async def call() -> str:
        began.append("called")
        return "x"

    async def run() -> None:
        shadow = Shadow(Recorded())
        shadow.after("legacy", "x", call)
        assert began == []
        await shadow.drain()
        assert began == ["called"]

    asyncio.run(run())


@pytest.mark.req("INV9")
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (failing(RuntimeError("down")), "error"),
        (failing(TimeoutError()), "timeout"),
        (hanging(), "timeout"),
    ],
)
def test_a_failing_candidate_is_a_disagreement_of_its_own_kind(call: Any, kind: str) -> None:
    """Errors and timeouts reach the recorder by their names."""
    recorder = Recorded()

    async def run() -> None:
        shadow = Shadow(recorder, deadline=0.02)
        shadow.after("legacy", "x", call)
        assert await shadow.drain()
        assert shadow.counters == {kind: 1}

    asyncio.run(run())
    assert (recorder.failures, recorder.pairs) == ([kind], [])


@pytest.mark.req("INV9")
def test_legacy_failing_as_the_shadow_says_nothing_of_the_candidate() -> None:
    """Without an answer of legacy there is nothing to compare with."""
    recorder = Recorded()

    async def run() -> None:
        shadow = Shadow(recorder, deadline=0.02)
        shadow.after("candidate", "x", failing(RuntimeError()))
        shadow.after("candidate", "x", hanging())
        await shadow.drain()
        assert shadow.counters == {"legacy_error": 1, "legacy_timeout": 1}

    asyncio.run(run())
    assert recorder.failures == []


@pytest.mark.req("INV9")
def test_calls_beyond_room_and_queue_are_shed_and_counted() -> None:
    """With two places and one seat to wait, the fourth call is not made."""
    recorder, began = Recorded(), 0

    async def run() -> None:
        nonlocal began
        gate = asyncio.Event()

        async def call() -> str:
            nonlocal began
            began += 1
            await gate.wait()
            return "x"

        shadow = Shadow(recorder, concurrency=2, queue=1, deadline=30)
        taken = [shadow.after("legacy", "x", call) for _ in range(5)]
        assert taken == [True, True, True, False, False]
        await asyncio.sleep(0)
        assert began == 2
        assert shadow.pending == 3
        gate.set()
        assert await shadow.drain()
        assert shadow.counters == {"ok": 3, "shed": 2}

    asyncio.run(run())
    assert began == 3
    assert recorder.failures == ["shed", "shed"]


@pytest.mark.req("INV9")
def test_a_call_that_waited_too_long_is_shed_instead_of_made_late() -> None:
    """A queue behind a hanging candidate does not outlive the deadline."""

    async def run() -> None:
        shadow = Shadow(Recorded(), concurrency=1, queue=5, deadline=0.02)
        for _ in range(3):
            shadow.after("legacy", "x", hanging())
        assert await shadow.drain()
        # The first used up the whole deadline; what waited behind it is past its own.
        assert shadow.counters["timeout"] == 1
        assert shadow.counters["shed"] == 2

    asyncio.run(run())


@pytest.mark.req("INV9")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_unsafe_method_is_shadowed_only_when_allowed(method: str) -> None:
    """What changes things is not sent twice unless somebody said so."""

    async def run() -> None:
        careful, bold = Shadow(Recorded()), Shadow(Recorded(), allow=[method.lower()])
        assert not careful.after("legacy", "x", answering("x"), method=method)
        assert bold.after("legacy", "x", answering("x"), method=method)
        await bold.drain()
        assert careful.counters == {"unsafe": 1}
        assert bold.counters == {"ok": 1}

    asyncio.run(run())


@pytest.mark.req("O4")
@pytest.mark.parametrize("served", ["legacy", "candidate"])
def test_the_noise_floor_pairs_legacy_with_itself(served: str) -> None:
    """A sampled request goes to legacy twice, and those two answers are compared apart."""
    recorder = Recorded()

    async def run() -> None:
        shadow = Shadow(recorder, noise=1.0)
        other = "legacy 1" if served == "candidate" else "candidate"
        answer = "candidate" if served == "candidate" else "legacy 1"
        shadow.after(served, answer, answering(other), again=answering("legacy 2"))
        await shadow.drain()
        assert shadow.counters == {"ok": 1, "noise": 1}

    asyncio.run(run())
    assert recorder.pairs == [("legacy 1", "candidate")]
    assert recorder.noise == [("legacy 1", "legacy 2")]


@pytest.mark.req("O4")
def test_legacy_failing_the_second_time_is_no_failure_of_the_candidate() -> None:
    """The noise call has a counter of its own."""
    recorder = Recorded()

    async def run() -> None:
        shadow = Shadow(recorder, noise=1.0)
        shadow.after("legacy", "a", answering("a"), again=failing(RuntimeError()))
        await shadow.drain()
        assert shadow.counters == {"ok": 1, "noise_error": 1}

    asyncio.run(run())
    assert recorder.failures == []


@pytest.mark.req("INV9")
def test_a_fault_of_the_comparison_is_logged_and_ends_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next pair is compared as if nothing had been."""

    class Faulty(Recorded):
        def compare(self, legacy: Any, candidate: Any) -> None:
            super().compare(legacy, candidate)
            if legacy == "bad":
                raise ValueError("no such rule")

    recorder = Faulty()

    async def run() -> None:
        shadow = Shadow(recorder)
        shadow.after("legacy", "bad", answering("x"))
        shadow.after("legacy", "good", answering("x"))
        await shadow.drain()
        assert shadow.counters == {"ok": 1, "broken": 1}

    asyncio.run(run())
    assert "could not be read" in caplog.text


@pytest.mark.req("INV9")
def test_closing_cancels_what_hangs_and_takes_no_more() -> None:
    """A process can end in spite of a candidate that does not."""

    async def run() -> None:
        shadow = Shadow(Recorded(), deadline=60)
        shadow.after("legacy", "x", hanging())
        await shadow.close(timeout=0.01)
        assert shadow.pending == 0
        assert not shadow.after("legacy", "x", answering("x"))

    asyncio.run(run())


@pytest.mark.req("INV9")
@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"queue": -1}, {"deadline": 0}, {"noise": 1.5}]
)
def test_a_shadow_without_bounds_is_refused(wrong: dict[str, Any]) -> None:
    """There is no way to say 'unlimited'."""
    with pytest.raises(InputError, match="a shadow needs"):
        Shadow(**wrong)

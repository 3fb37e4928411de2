from __future__ import annotations

import asyncio

import pytest

from switchover.judge.block import tally
from switchover.observe.recorder import Recorder
from switchover.testing.routing import InMemoryBlockStream


@pytest.fixture
def stream() -> InMemoryBlockStream:
    return InMemoryBlockStream()


@pytest.fixture
def recorder(stream: InMemoryBlockStream) -> Recorder:
    return Recorder("mood", destination=stream)


def timed(recorder: Recorder, stream: InMemoryBlockStream) -> int:
    recorder.flush()
    blocks, _, _ = stream.read("mood", "", 1_000)
    return tally(blocks)["duration_avg"]["candidate"].n


@pytest.mark.req("O1")
def test_decorated_function_is_timed_at_each_call(
    recorder: Recorder, stream: InMemoryBlockStream
) -> None:
    """Also when calls lie within each other, and what it raises reaches the caller."""

    @recorder.timed("duration_avg", "candidate")
    def countdown(left: int) -> int:
        """Down to zero."""
        return countdown(left - 1) if left else 1 // left

    with pytest.raises(ZeroDivisionError):
        countdown(3)
    assert timed(recorder, stream) == 4
    assert (countdown.__name__, countdown.__doc__) == ("countdown", "Down to zero.")


@pytest.mark.req("O1")
def test_coroutine_is_timed_until_it_has_finished(stream: InMemoryBlockStream) -> None:
    """The call alone makes a coroutine and takes no time; nothing is recorded before its end."""
    recorder = Recorder("mood", destination=stream)
    seen: list[int] = []

    @recorder.timed("duration_avg", "candidate")
    async def answer() -> int:
        await asyncio.sleep(0)
        recorder.flush()
        seen.append(len(stream.read("mood", "", 10)[0]))
        return 42

    async def run() -> list[int]:
        return [*await asyncio.gather(answer(), answer())]

    assert asyncio.run(run()) == [42, 42]
    assert seen[0] == 0
    assert timed(recorder, stream) == 2


@pytest.mark.req("O1")
def test_timer_works_with_async_with(recorder: Recorder, stream: InMemoryBlockStream) -> None:
    """Like ``with``, also when the block raises."""

    async def run() -> None:
        async with recorder.timed("duration_avg", "candidate"):
            await asyncio.sleep(0)
        async with recorder.timed("duration_avg", "candidate"):
            raise KeyError("gone")

    with pytest.raises(KeyError):
        asyncio.run(run())
    assert timed(recorder, stream) == 2

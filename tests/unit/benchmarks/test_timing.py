"""Turns, spreads and ratios are right, on a clock that tells what it is told to."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks.routing.timing import Spread, fastest, per_call, ratios, spread, take_turns


def test_spread_is_the_median_with_its_tenth_and_ninetieth_percentile() -> None:
    """Of 0 to 100 they are 10, 50 and 90, in whatever order the values come."""
    assert spread([*range(100, -1, -1)]) == Spread(10, 50, 90)


def test_spread_of_one_value_is_that_value() -> None:
    """A single round has no percentiles to interpolate."""
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratio_is_taken_per_round_so_that_a_slow_moment_cancels_out() -> None:
    """One is always twice as slow; the ratio of the medians would say something else."""
    quick = [10.0, 500.0, 20.0, 30.0, 700.0]
    slow = [20.0, 1000.0, 40.0, 60.0, 1400.0]
    assert ratios(slow, quick) == Spread(2.0, 2.0, 2.0)


def test_ratio_of_runs_with_different_rounds_is_refused() -> None:
    """A pair needs both halves."""
    with pytest.raises(ValueError, match="argument 2 is longer"):
        ratios([1.0], [1.0, 2.0])


def test_fastest_is_the_one_with_the_least_median() -> None:
    """One lucky round does not make a contender the fastest."""
    assert fastest({"lucky": [1.0, 9.0, 9.0], "steady": [5.0, 5.0, 5.0]}) == "steady"


def test_per_call_divides_the_time_of_the_loop_by_its_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four calls in 1 000 ns are 250 ns each, and each input is used once."""
    seen: list[int] = []
    moments = iter([5_000, 6_000])
    monkeypatch.setattr("benchmarks.routing.timing.time.thread_time_ns", lambda: next(moments))
    assert per_call(seen.append, [1, 2, 3, 4]) == 250
    assert seen == [1, 2, 3, 4]


class Clock:
    """Says for each contender what it takes, and keeps who was asked for how many calls."""

    def __init__(self, **costs: float) -> None:
        self.costs, self.turns = costs, list[tuple[str, int]]()

    def __call__(self, call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
        self.turns.append((call(inputs[0]), len(inputs)))
        return self.costs[call(inputs[0])]


def work(name: str, size: int = 1000) -> tuple[Callable[[Any], str], list[int]]:
    return (lambda _: name), list(range(size))


def test_every_contender_has_a_turn_in_every_round_and_each_begins_in_turn() -> None:
    """Three rounds of three: nobody is always first, after whom the caches are cold."""
    clock = Clock(a=100.0, b=100.0, c=100.0)
    times = take_turns({name: work(name) for name in "abc"}, 3, 10_000, clock)
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3, "c": 3}
    order = "".join(name for name, _ in clock.turns[3:])
    assert order == "abc" + "bca" + "cab"


def test_a_turn_lasts_as_long_for_a_slow_contender_as_for_a_quick_one() -> None:
    """Calls per turn follow the cost; never more than there are inputs, never too few."""
    clock = Clock(quick=10.0, slow=1000.0, tiny=0.1, glacial=1e9)
    take_turns({name: work(name) for name in clock.costs}, 1, 50_000, clock)
    assert dict(clock.turns[4:]) == {"quick": 1000, "slow": 50, "tiny": 1000, "glacial": 20}


def test_turns_go_on_through_the_inputs_and_begin_anew_at_their_end() -> None:
    """All keys are used, not only the first ones."""
    chunks: list[list[int]] = []

    def clock(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
        chunks.append(list(inputs))
        return 25.0

    take_turns({"one": work("one", 50)}, 3, 1_000, clock)
    assert chunks[1:] == [
        list(range(40)),
        [*range(40, 50), *range(30)],
        list(range(30, 50)) + list(range(20)),
    ]


def test_the_garbage_collector_rests_during_turns_and_works_again_after_a_failure() -> None:
    """A contender that raises does not leave the collector switched off."""
    seen: list[bool] = []

    def clock(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
        seen.append(gc.isenabled())
        if len(seen) > 1:
            raise RuntimeError("the contender failed")
        return 10.0

    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="the contender failed"):
        take_turns({"one": work("one")}, 1, 1_000, clock)
    assert seen == [True, False]
    assert gc.isenabled()

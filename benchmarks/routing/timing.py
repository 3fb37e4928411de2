"""Timing in turns: every contender in every round, so that noise meets all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: One contender: what is called, and what it is called with.
Work = tuple[Callable[[Any], Any], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of a sample and how far it reaches."""

    p10: float
    median: float
    p90: float


def spread(values: Sequence[float]) -> Spread:
    """Median, 10th and 90th percentile; linear between neighbours."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return Spread(tenths[0], tenths[4], tenths[8])


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


def ratios(these: Sequence[float], those: Sequence[float]) -> Spread:
    """How many times ``those`` ``these`` take: of each round first, then their spread.

    The two halves of a pair ran next to each other, so what slowed the machine down in that
    moment cancels out.
    """
    return spread([one / other for one, other in zip(these, those, strict=True)])


def fastest(times: Mapping[str, Sequence[float]]) -> str:
    """The name with the least median."""
    return min(times, key=lambda name: statistics.median(times[name]))


def per_call(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    """Nanoseconds of one call, the loop around it included.

    Of the thread's processor time: a decision waits for nothing, so that is what it takes on
    a quiet machine, and other programs do not count.
    """
    began = time.thread_time_ns()
    for item in inputs:
        call(item)
    return (time.thread_time_ns() - began) / len(inputs)


def take_turns(
    contenders: Mapping[str, Work],
    rounds: int,
    turn_ns: float = 2e6,
    clock: Callable[[Callable[[Any], Any], Sequence[Any]], float] = per_call,
) -> dict[str, list[float]]:
    """Nanoseconds per call of each contender in each round.

    A turn takes about ``turn_ns`` whatever the contender's speed, over the next of its inputs:
    short enough that most turns end before the scheduler looks at them.
    The one that begins changes from round to round. The garbage collector rests, as in
    ``timeit``; that favours those that make more garbage.
    """
    names = list(contenders)
    sizes = {
        name: max(20, min(len(inputs), int(turn_ns / clock(call, inputs[:200]))))
        for name, (call, inputs) in contenders.items()
    }
    times: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                call, inputs = contenders[name]
                begin = number * sizes[name] % len(inputs)
                chunk = [*inputs[begin:], *inputs[:begin]][: sizes[name]]
                times[name].append(clock(call, chunk))
            # Between rounds, so that no contender pays for another's garbage.
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return times

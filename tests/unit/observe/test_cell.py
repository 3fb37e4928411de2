from __future__ import annotations

import math
from collections import Counter

import pytest

from switchover.judge.sketch import bucket_of
from switchover.observe.cell import BATCH
from switchover.observe.recorder import Recorder
from switchover.testing.routing import InMemoryBlockStream


@pytest.mark.req("O1")
@pytest.mark.parametrize("odd", [[], [0.0], [-1.0, math.nan], [math.inf, -math.inf]])
def test_more_values_than_fit_into_a_batch_are_sorted_as_one_by_one(odd: list[float]) -> None:
    """Batches change what a record costs, and nothing of what it counts."""
    values = [0.001 * 1.01 ** (step % 700) for step in range(3 * BATCH + 7)]
    values[BATCH // 2 : BATCH // 2] = odd
    stream = InMemoryBlockStream()
    recorder = Recorder("mood", destination=stream)
    for value in values:
        recorder.record("latency", value, "candidate")
    recorder.flush()
    (block,) = stream.read("mood", "", 10)[0]
    finite = [value for value in values if math.isfinite(value)]
    assert block.n == len(values)
    assert block.sketch == Counter(map(bucket_of, values))
    assert block.total == pytest.approx(math.fsum(finite))
    assert block.total_squares == pytest.approx(math.fsum(value * value for value in finite))

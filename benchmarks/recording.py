"""What one observation costs: the recorder beside prometheus_client's counter and histogram.

All in one run, by the processor time of the calling thread, so that a busy machine does not
count. Medians in nanoseconds, the loop included, which ``empty_loop`` tells. Prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from switchover.observe.recorder import Recorder
from switchover.testing.routing import InMemoryBlockStream

#: Latencies over a factor of a hundred, none twice in a row.
VALUES = [0.002 * 1.05 ** (step * 37 % 97) for step in range(20_000)]
OUTCOMES = [step % 20 != 0 for step in range(20_000)]


def median_ns(call: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    """Median processor time of one call over ``inputs``."""

    def run() -> None:
        for item in inputs:
            call(item)

    times = timeit.repeat(run, timer=time.thread_time, number=1, repeat=15)
    return statistics.median(times) / len(inputs) * 1e9


def measure() -> dict[str, float]:
    """Nanoseconds per call, and the ratios to the peer."""
    recorder = Recorder("bench", flush_every=3600, destination=InMemoryBlockStream())
    registry = CollectorRegistry()
    labels = ("metric", "system")
    counter = Counter("observed", "outcomes", labels, registry=registry)
    histogram = Histogram("took", "seconds", labels, registry=registry)
    ready_counter = counter.labels("success_rate", "candidate")
    ready_histogram = histogram.labels("latency", "candidate")
    record = recorder.record
    figures = {
        "empty_loop": median_ns(lambda value: value, VALUES),
        "record_bool": median_ns(lambda good: record("success_rate", good, "candidate"), OUTCOMES),
        "record_float": median_ns(lambda value: record("latency", value, "candidate"), VALUES),
        "count": median_ns(lambda _: recorder.count("errors", 1, system="candidate"), VALUES),
        "counter_inc_labels": median_ns(
            lambda _: counter.labels("success_rate", "candidate").inc(), OUTCOMES
        ),
        "counter_inc_ready": median_ns(lambda _: ready_counter.inc(), OUTCOMES),
        "histogram_observe_labels": median_ns(
            lambda value: histogram.labels("latency", "candidate").observe(value), VALUES
        ),
        "histogram_observe_ready": median_ns(lambda value: ready_histogram.observe(value), VALUES),
    }
    ratio = partial(_ratio, figures)
    return figures | {
        "bool_to_counter_labels": ratio("record_bool", "counter_inc_labels"),
        "bool_to_counter_ready": ratio("record_bool", "counter_inc_ready"),
        "float_to_histogram_labels": ratio("record_float", "histogram_observe_labels"),
        "float_to_histogram_ready": ratio("record_float", "histogram_observe_ready"),
    }


def _ratio(figures: dict[str, float], ours: str, theirs: str) -> float:
    return figures[ours] / figures[theirs]


def main() -> int:
    """Measure and print."""
    figures = {name: round(value, 2) for name, value in measure().items()}
    print(json.dumps({"python": sys.version.split()[0], **figures}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

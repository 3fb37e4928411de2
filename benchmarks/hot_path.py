"""What Switchover costs on a caller's path, beside the bare hash it can't be faster than.

Prints one JSON document; times are medians in nanoseconds, ratios are of medians of one run.
Run it on a quiet machine: `make bench`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

from xxhash import xxh3_64_intdigest

from switchover.judge import rollout
from switchover.judge.agreement import Agreement
from switchover.judge.block import Tally
from switchover.judge.gate import GateSpec
from switchover.judge.sketch import bucket_of, value_of
from switchover.machine.snapshot import Snapshot
from switchover.observe.recorder import Recorder
from switchover.routing.router import Router
from switchover.testing.routing import InMemoryBlockStream

KEYS = [f"subject-{number}" for number in range(1000)]
ANSWER = {"risk_score": 0.42, "model_version": "0.2.0", "subject": "s", "horizon_hours": 24,
          "window_end": "2026-01-05T09:00:00Z", "series": [0.1] * 168}  # fmt: skip


def median_ns(call: Callable[[Any], object], inputs: list[Any], repeat: int = 15) -> float:
    """Median time of one call over ``inputs``, the loop included."""

    def run() -> None:
        for item in inputs:
            call(item)

    # Processor time: none of these calls waits, and other programs shall not count.
    times = timeit.repeat(run, timer=time.thread_time, number=1, repeat=repeat)
    return statistics.median(times) / len(inputs) * 1e9


def routing() -> dict[str, float]:
    """A decision on a string key against hash and modulo alone."""
    router = Router("bench", "redis://127.0.0.1:1/0")
    router._held.take(Snapshot("bench", 1, "gradual", 2500, salt="s").to_json())
    bare = median_ns(lambda key: xxh3_64_intdigest(key.encode()) % 10_000, KEYS * 20)
    routed = median_ns(router.route, KEYS * 20)
    return {"bare_hash": bare, "route": routed, "ratio": routed / bare}


def recording() -> dict[str, float]:
    """One observation of each kind."""
    recorder = Recorder("bench", flush_every=3600, destination=InMemoryBlockStream())
    return {
        "record_bool": median_ns(
            lambda good: recorder.record("success_rate", good, system="candidate"), [True] * 20_000
        ),
        "record_float": median_ns(
            lambda value: recorder.record("latency", value, system="candidate"), [0.0123] * 20_000
        ),
    }


def comparing() -> dict[str, float]:
    """One comparison of two answers of about 2 KB."""
    rules = Agreement.from_dict(
        {"default": "ignore", "fields": [
            {"path": "risk_score", "compare": "number", "absolute": 0.1},
            {"path": "series[*]", "compare": "number", "relative": 0.05},
        ]}
    )  # fmt: skip
    return {"compare_2kb": median_ns(lambda pair: rules.compare(*pair), [(ANSWER, ANSWER)] * 500)}


def judging() -> dict[str, float]:
    """One look at one gate of each kind; ``_wide`` with values spread over a factor of 1,000."""
    limits = {"proportion": 0.1, "quantile": 0.2, "relative_rate": 1.5, "relative_quantile": 1.5,
              "memory": 0.2, "count": 10_000_000.0, "paired": 0.05, "mean": 0.2, "drift": 0.1,
              "sample_ratio": 0.02}  # fmt: skip
    measured = ("quantile", "relative_quantile", "mean", "drift")
    narrow = _look({bucket_of(0.02 + 0.001 * step): 10 for step in range(60)})
    wide = _look({bucket_of(0.002) + step: 2 for step in range(350)})
    figures = {f"look_{kind}": _looking(kind, limit, narrow) for kind, limit in limits.items()}
    limits |= {"quantile": 2.0, "mean": 0.6}
    return figures | {f"look_{kind}_wide": _looking(kind, limits[kind], wide) for kind in measured}


def _look(counts: dict[int, int]) -> dict[str, dict[str, Tally]]:
    n = sum(counts.values())
    values = [(value_of(bucket), count) for bucket, count in counts.items()]
    total = sum(value * count for value, count in values)
    squares = sum(value * value * count for value, count in values)
    tally = Tally(n, n // 100, total, squares, counts)
    pairs = Tally(n, n // 100, 1.0, 3.0)
    return {"m": {"legacy": tally, "candidate": tally}, "pairs": {"pair": pairs}}


def _looking(kind: str, limit: float, look: dict[str, dict[str, Tally]]) -> float:
    gates = [GateSpec(kind, kind, "pairs" if kind == "paired" else "m", limit)]
    rules = rollout.Rules(planned_looks=1440)
    evidence = [rollout.enter_stage(rollout.begin(gates), "canary-10", "canary", 0.5)]

    def step(at: int) -> None:
        evidence[0] = rollout.observe(gates, rules, evidence[0], look, at=at * 60.0)

    return median_ns(step, list(range(400)), repeat=5)


def main() -> int:
    """Measure everything and print it."""
    figures = {"python": sys.version.split()[0], **routing(), **recording(), **comparing(),
               **judging()}  # fmt: skip
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps(rounded, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the traffic generator counts, in constant memory."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

#: Latencies are counted in buckets 2 % apart, from 10 µs on.
STEP, LOWEST = math.log(1.02), 1e-5
EXAMPLES = 10


class Tallies:
    """Requests by outcome and system, and latency quantiles to 2 %."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.served: Counter[str] = Counter()
        self.failures = 0
        self.fallbacks = 0
        self.examples: list[str] = []
        self._buckets: dict[str, Counter[int]] = {}
        self._slowest = 0.0
        self._started_at = datetime.now(UTC)
        self._began, self._ended = time.perf_counter(), 0.0
        self._cpu = time.process_time()

    def answered(self, system: str, seconds: float, *, fell_back: bool) -> None:
        """One request that its caller could use."""
        self.served[system] += 1
        self.fallbacks += fell_back
        self._slowest = max(self._slowest, seconds)
        bucket = math.ceil(math.log(max(seconds, LOWEST) / LOWEST) / STEP)
        self._buckets.setdefault(system, Counter())[bucket] += 1

    def failed(self, reason: str) -> None:
        """One request whose caller got nothing."""
        self.failures += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{datetime.now(UTC).isoformat()} {reason}")

    def finish(self) -> None:
        """The clock stops."""
        self._ended = time.perf_counter()

    def as_json(self) -> dict[str, Any]:
        """Counts, and latencies in seconds, so far."""
        seconds = (self._ended or time.perf_counter()) - self._began
        requests = sum(self.served.values()) + self.failures
        everything = sum(self._buckets.values(), Counter())
        cpu = time.process_time() - self._cpu
        return {
            "started_at": self._started_at.isoformat(),
            "finished": bool(self._ended),
            "seconds": round(seconds, 3),
            "rate_asked": self.rate,
            "rate": round(requests / seconds, 2) if seconds > 0 else 0.0,
            "requests": requests,
            "failed": self.failures,
            "failures": self.examples,
            "fallbacks": self.fallbacks,
            "served": {"legacy": 0, "candidate": 0} | dict(self.served),
            "latency_seconds": _quantiles(everything) | {"max": round(self._slowest, 5)},
            "latency_seconds_by_system": {
                system: _quantiles(buckets) for system, buckets in self._buckets.items()
            },
            "client_cpu_ms_per_request": round(1000 * cpu / requests, 3) if requests else 0.0,
        }


def _quantiles(buckets: Counter[int]) -> dict[str, float]:
    total, found = buckets.total(), {}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        seen, value = 0, 0.0
        for bucket in sorted(buckets):
            seen += buckets[bucket]
            if seen >= share * total:
                value = LOWEST * math.exp(bucket * STEP)
                break
        found[name] = round(value, 5)
    return found

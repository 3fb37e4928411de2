"""What a proxy costs: throughput and added latency of `switchover proxy` beside nginx.

Both stand before the same two systems with the same split; the systems asked without a proxy
say what the load generator itself can do.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
from typing import Any

from benchmarks.routing.fronts import BODY, Front, fronts
from benchmarks.routing.http_load import Outcome, closed_load, paced_load
from benchmarks.routing.timing import percentile

CONCURRENCY = 32
RATE = 100.0
DIRECT = "no proxy"


def at(times: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return round(percentile(times, share) * 1e3, 3)


def full_load(port: int, running: list[Front], count: int, turns: int) -> list[dict[str, Any]]:
    """As fast as they go, in turns."""
    places: dict[str, Front | int] = {DIRECT: port} | {front.name: front for front in running}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in places}
    used = dict.fromkeys(places, 0.0)
    for turn in range(turns + 1):
        for name, place in places.items():
            begun = place.processor_seconds() if isinstance(place, Front) else 0.0
            target = place.port if isinstance(place, Front) else place
            outcome = asyncio.run(closed_load(target, count, CONCURRENCY))
            if turn == 0:
                continue  # opens connections and warms up
            outcomes[name].append(outcome)
            if isinstance(place, Front):
                used[name] += place.processor_seconds() - begun
    rows = []
    for name, found in outcomes.items():
        times = [time for outcome in found for time in outcome.times]
        row = {
            "what": "throughput",
            "front": name,
            "concurrency": CONCURRENCY,
            "requests": turns * count,
            "requests_per_second": round(
                statistics.median(len(outcome.times) / outcome.seconds for outcome in found)
            ),
            "p50_ms": at(times, 0.5),
            "p99_ms": at(times, 0.99),
            "errors": sum(outcome.errors for outcome in found),
        }
        if name != DIRECT:
            row["cpu_us_per_request"] = round(used[name] / (turns * count) * 1e6)
            share = sum(outcome.candidate for outcome in found) / (turns * count)
            row["candidate_percent"] = round(share * 100, 2)
        rows.append(row)
    return rows


def low_rate(port: int, running: list[Front], count: int, turns: int) -> list[dict[str, Any]]:
    """At a pace that keeps nobody busy, in turns; what each front adds to the direct call."""
    places = {DIRECT: port} | {front.name: front.port for front in running}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in places}
    for _ in range(turns):
        for name, target in places.items():
            outcomes[name].append(asyncio.run(paced_load(target, count, RATE)))
    times = {name: [t for one in found for t in one.times] for name, found in outcomes.items()}
    direct = {share: at(times[DIRECT], share) for share in (0.5, 0.99)}
    return [
        {
            "what": "added latency",
            "front": name,
            "requests_per_second": RATE,
            "requests": turns * count,
            "p50_ms": at(times[name], 0.5),
            "p99_ms": at(times[name], 0.99),
            "added_p50_ms": round(at(times[name], 0.5) - direct[0.5], 3),
            "added_p99_ms": round(at(times[name], 0.99) - direct[0.99], 3),
            "errors": sum(outcome.errors for outcome in outcomes[name]),
        }
        for name in places
    ]


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure throughput and added latency."""
    turns, count, paced = (1, 300, 100) if quick else (3, 3_000, 400)
    with fronts() as (port, running):
        rows = full_load(port, running, count, turns) + low_rate(port, running, paced, turns)
    return {
        "title": "A proxy in front: switchover proxy beside nginx",
        "rows": rows,
        "notes": [
            "One process each: `switchover proxy` and an nginx with one worker, both with half of "
            "the keys on the candidate; the systems are two ports of one more nginx.",
            f"“{DIRECT}” is a system asked directly: the most that the load generator, one Python "
            "process, can ask for. A front near that figure is not itself the limit; its processor "
            "time per request says what it costs.",
            "`switchover proxy` also records latency and success of every request for the judge.",
        ],
        "parameters": {"concurrency": CONCURRENCY, "low_rate_per_second": RATE, "turns": turns,
                       "requests_per_turn": count, "paced_requests_per_turn": paced,
                       "body_bytes": BODY, "cores": os.cpu_count()},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))

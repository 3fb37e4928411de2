"""Rollback: from the order to the last request that the candidate was given, in all processes.

Beside it, in turns and in the same processes, what Redis itself needs: a message published, until
the last of as many plain redis-py subscribers has it.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from typing import Any

import redis

from benchmarks.routing.fleet import Fleet, now
from benchmarks.routing.timing import percentile
from switchover.machine.snapshot import FULL, Snapshot
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey

MEMBERS = 8
TARGET_MS = 100.0
CHANNEL = "bench"
ROLLBACK = "rollback to the last candidate-served decision"
#: Decisions a second of each process; 0 is a busy loop.
LOADS = (2_000, 0)


def spread(seconds: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    shares = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(percentile(seconds, share) * 1e3, 2) for name, share in shares.items()}


def roll_back(fleet: Fleet, store: RedisRoutingStore, name: str, before: Snapshot) -> list[float]:
    """Let all serve the candidate, halt: seconds to the last such decision, and of the call."""
    store.write(before)
    halt = {"halt_id": f"h{before.epoch}", "actor": "bench", "reason": "bench"}
    return turn(fleet, before.epoch, lambda: store.halt(name, **halt, at=now()))


def turn(fleet: Fleet, epoch: int, order: Callable[[], object]) -> list[float]:
    """Wait until all serve the candidate by ``epoch``, and order: seconds to the last decision for
    the candidate, and of the call that orders."""
    told = fleet.told
    fleet.wait(lambda: all(serving >= epoch for serving in told.serving))
    # At any moment of the routers' rounds, not always at the same one.
    time.sleep(random.uniform(0.02, 0.08))
    began = now()
    order()
    called = now() - began
    fleet.wait(lambda: all(turned > epoch for turned in told.turned))
    # A negative time is a process whose last such decision came before the order did.
    return [max(0.0, max(told.last) - began), called]


def publish(fleet: Fleet, client: redis.Redis, number: int) -> float:
    """Seconds from the order to publish until the last subscriber has the message."""
    told = fleet.told
    time.sleep(random.uniform(0.02, 0.08))
    began = now()
    client.publish(CHANNEL, number)
    fleet.wait(lambda: all(message >= number for message in told.message))
    return max(told.heard) - began


def under(rate: int, rounds: int, url: str) -> list[dict[str, Any]]:
    """Both, in turns, under one load."""
    name, store = f"bench-{rate}", RedisRoutingStore(url)
    rolled, called, heard = [], [], []
    with Fleet(MEMBERS, rate, name, url, CHANNEL) as fleet, redis.Redis.from_url(url) as client:
        fleet.wait(lambda: len(store.acknowledgements(name)) == MEMBERS)
        fleet.wait(lambda: client.publish(CHANNEL, 0) == MEMBERS)
        epoch, answered, first = 0, "", 0
        for number in range(1, rounds + 1):
            before = Snapshot(name, epoch + 1, "candidate_only", FULL, salt="s", halt=answered)
            last, call = roll_back(fleet, store, name, before)
            if number == 1:
                first, since = sum(fleet.told.decisions), now()
            epoch, answered = before.epoch + 1, f"h{before.epoch}"
            rolled.append(last)
            called.append(call)
            heard.append(publish(fleet, client, number))
        rate_seen = (sum(fleet.told.decisions) - first) / (now() - since) / MEMBERS
    load = f"{rate:,} decisions/s each" if rate else "busy loops"
    shared = {"load": load, "decisions_per_second_each": round(rate_seen), "processes": MEMBERS,
              "rounds": rounds}  # fmt: skip
    row, bare = spread(rolled), spread(heard)
    ratios = {f"times_publish_{p}": round(row[f"{p}_ms"] / bare[f"{p}_ms"], 2)
              for p in ("p50", "p99")}  # fmt: skip
    return [
        {"what": ROLLBACK, **shared, **row, **ratios},
        {"what": "of it, the call that orders it", **shared, **spread(called)},
        {"what": "publish to the last plain subscriber", **shared, **bare},
    ]


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure both under every load."""
    rounds = 10 if quick else 200
    with Valkey() as server:
        rows = [row for rate in LOADS for row in under(rate, rounds, server.url)]
    ours = [row for row in rows if row["what"] == ROLLBACK]
    return {
        "title": "Rollback propagation",
        "rows": rows,
        "targets": [
            {
                "what": f"rollback in {MEMBERS} processes, {row['load']}, p99",
                "target": f"≤ {TARGET_MS:.0f} ms",
                "measured": f"{row['p99_ms']:.1f} ms",
                "met": row["p99_ms"] <= TARGET_MS,
            }
            for row in ours
        ],
        "notes": [
            "A rollback counts from the call of store.halt to the last decision for the candidate "
            f"in any of {MEMBERS} processes.",
            "Busy loops: every process decides without a pause, so the processes fight for the "
            "cores and each router's thread waits for the interpreter lock of its own process.",
            "Rollbacks and messages take turns in the same processes.",
        ],
        "parameters": {"processes": MEMBERS, "rounds": rounds, "cores": os.cpu_count(),
                       "server": "embedded Valkey on loopback"},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))

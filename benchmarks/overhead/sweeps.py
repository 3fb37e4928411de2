"""What one sweep costs against the number of migrations, idle and with fresh evidence."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from benchmarks.overhead.fleet import Fleet, servers
from benchmarks.routing.timing import spread
from switchover.engine.sweep import sweep

SIZES, QUICK = (10, 100, 1000, 5000), (10, 100)
#: The design's promise for a thousand migrations, on two cores.
TARGET_S, TARGET_SIZE = 10.0, 1000
#: Every so many migrations one has a halt in routing that nobody can read.
BROKEN_EVERY = 50


def measure(quick: bool) -> dict[str, Any]:
    """A table of sweeps: how many migrations, what had come, seconds, looks and errors."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as (settings, _):
        fleet = Fleet(settings)
        for size in QUICK if quick else SIZES:
            fleet.grow(size)
            fleet.observe(fleet.names)
            sweep(fleet.context, actor="monitor")
            rounds = 1 if size > TARGET_SIZE else 3
            rows.append(_row(fleet, "nothing new", rounds))
            rows.append(_row(fleet, "five blocks each", rounds, observe=True))
            rows.append(_broken(fleet))
    return {
        "title": "One monitor sweep",
        "rows": rows,
        "targets": [
            {
                "what": f"{TARGET_SIZE:,} migrations, {row['what']}",
                "target": f"≤ {TARGET_S:g} s",
                "measured": f"{row['median_s']:g} s",
                "met": row["median_s"] <= TARGET_S,
            }
            for row in rows
            if row["migrations"] == TARGET_SIZE
        ],
        "notes": [
            "The sweep itself, four threads in one process, on PostgreSQL and Valkey on the same "
            "machine; each migration has three gates and a recorder with a heartbeat.",
            "*five blocks each*: every migration has fresh evidence to be stored, folded, judged "
            "and, where the verdict changes, written down.",
            f"*one in {BROKEN_EVERY} broken*: a halt in routing that can't be read; the others "
            "are looked at all the same, and the errors name each.",
        ],
        "parameters": {"rounds": 3, "rounds_of_the_largest": 1},
    }


def _row(fleet: Fleet, what: str, rounds: int, *, observe: bool = False) -> dict[str, Any]:
    times, cpu, looks, errors = [], [], 0, 0
    for _ in range(rounds):
        if observe:
            fleet.observe(fleet.names)
        began, worked = time.perf_counter(), time.process_time()
        found = sweep(fleet.context, actor="monitor")
        times.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
        looks, errors = len(found.looks), len(found.errors)
    size = len(fleet.names)
    middle = spread(times).median
    return {
        "migrations": size, "what": what, "median_s": round(middle, 3),
        "slowest_s": round(max(times), 3), "processor_s": round(spread(cpu).median, 3),
        "each_ms": round(1000 * middle / size, 2), "looks": looks, "errors": errors,
    }  # fmt: skip


def _broken(fleet: Fleet) -> dict[str, Any]:
    """A sweep over a fleet some of whose halts are unreadable; then mended."""
    broken = fleet.names[::BROKEN_EVERY]
    keys = [f"switchover:{{{name}}}:routing" for name in broken]
    with redis.Redis.from_url(fleet.settings["SWITCHOVER_REDIS_URL"]) as client:
        for key in keys:
            client.hset(key, mapping={"halt": "x", "halt_document": "{"})
        logging.disable(logging.ERROR)  # each of them would be told with its traceback
        row = _row(fleet, f"one in {BROKEN_EVERY} broken", 1)
        logging.disable(logging.NOTSET)
        for key in keys:
            client.hset(key, "halt", "")
    return row

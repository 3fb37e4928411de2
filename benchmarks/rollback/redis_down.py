"""Redis itself down: from its end to the last decision for the candidate, by every router alone.

Nobody can order anything then. Each router gives up what it can't confirm any more after its
``max_staleness``, in a thread of its own, whatever the application does.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.rollback.restart import MEMBERS, RATE
from benchmarks.routing.fleet import PATIENCE, Fleet, Told, decide, now
from benchmarks.routing.timing import percentile
from switchover import Router
from switchover.machine.snapshot import FULL, Snapshot
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey

#: Seconds, shorter than the default of 30 so that rounds take less; what comes on top is the same.
STALENESS = 2.0
#: What a router may take beyond it: the watching thread looks ten times in that time.
BEYOND = 1.0
NAME = "bench-down"


def serve(
    staleness: float, number: int, rate: int, migration: str, url: str, _channel: str, told: Told
) -> None:
    """One process: a router that notes when it last gave the candidate anything."""

    def route(key: str) -> Any:
        decision = router.route(key)
        if decision.system == "candidate":
            told.heard[number] = now()
        return decision

    with Router(migration, url, staleness) as router:
        router.wait_ready(PATIENCE)
        decide(route, number, rate, told)


def rounds_of(members: int, rounds: int) -> list[float]:
    """Seconds from the end of Redis to the last decision for the candidate, of each round."""
    took = []
    with tempfile.TemporaryDirectory(prefix="switchover-") as folder:
        server = Valkey(Path(folder)).start()
        try:
            store, member = RedisRoutingStore(server.url), partial(serve, STALENESS)
            store.write(Snapshot(NAME, 1, "candidate_only", FULL, salt="s"))
            with Fleet(members, RATE // members, NAME, server.url, "", member) as fleet:
                heard = fleet.told.heard
                for number in range(rounds):
                    began = now()
                    fleet.wait(lambda began=began: min(heard) > began)
                    # At any moment between two confirmations.
                    time.sleep(0.5 + number * 0.37 % 1.0)
                    ended = now()
                    server.stop()
                    fleet.wait(lambda: max(heard) < now() - 2 * STALENESS)
                    took.append(max(heard) - ended)
                    server.start()
        finally:
            server.stop()
    return took


def measure(quick: bool = False) -> dict[str, Any]:
    """Through 1, 8 and 32 processes."""
    rounds = 1 if quick else 2
    rows = []
    for members in MEMBERS:
        took = rounds_of(members, rounds)
        rows.append(
            {
                "router_processes": members, "max_staleness_s": STALENESS, "rounds": rounds,
                "p50_s": round(percentile(took, 0.5), 2), "max_s": round(max(took), 2),
            }
        )  # fmt: skip
    worst = max(row["max_s"] for row in rows)
    return {
        "title": "Redis down: routers turn by themselves",
        "rows": rows,
        "targets": [
            {
                "what": "the last of all processes after Redis has ended",
                "target": f"≤ max_staleness + {BEYOND:g} s",
                "measured": f"{worst:g} s at a max_staleness of {STALENESS:g} s",
                "met": worst <= STALENESS + BEYOND,
            }
        ],
        "notes": [
            "From the order to end Valkey, with 100 % of the traffic on the candidate, to the last "
            "decision for the candidate in any of the processes.",
            "The time is the plan's choice: max_staleness is 30 s unless you say otherwise. The "
            "command line says that nothing can be ordered, and keeps the order in its spool.",
        ],
        "parameters": {"decisions_per_second": RATE, "cores": os.cpu_count()},
    }

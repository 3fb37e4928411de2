"""Routers: from the order to the last decision for the candidate, whatever else is down."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.rollback.site import DOWN, Site, site
from benchmarks.routing.fleet import Fleet
from benchmarks.routing.propagation import CHANNEL, spread, turn

#: Router processes, and the decisions a second of all of them together.
MEMBERS, RATE = (1, 8, 32), 4_000
TARGET_MS = 1_000.0


def rounds_of(where: Site, members: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each case. Every round is one rollback of each, so that noise meets all alike."""
    name = f"bench-{members}"
    last: dict[str, list[float]] = {down: [] for down in DOWN}
    calls: dict[str, list[float]] = {down: [] for down in DOWN}
    where.serve(name)
    with Fleet(members, RATE // members, name, where.url, CHANNEL) as fleet:
        fleet.wait(lambda: len(where.context.routing.acknowledgements(name)) == members)
        epoch = where.context.open(name).state.epoch
        for _ in range(rounds):
            for down in DOWN:
                seconds, called = turn(fleet, epoch, lambda down=down: where.back(name, down))
                last[down].append(seconds)
                calls[down].append(called)
                epoch = where.serve(name)
    return [
        {
            "down": down, "router_processes": members, "rollbacks": len(seconds),
            **spread(seconds), "call_p50_ms": spread(calls[down])["p50_ms"],
        }
        for down, seconds in last.items()
    ]  # fmt: skip


def measure(quick: bool = False) -> dict[str, Any]:
    """Every case, through 1, 8 and 32 processes."""
    rounds = 2 if quick else 25
    with tempfile.TemporaryDirectory(prefix="switchover-") as folder, site(Path(folder)) as where:
        rows = [row for members in MEMBERS for row in rounds_of(where, members, rounds)]
    worst = max(rows, key=lambda row: row["p99_ms"])
    return {
        "title": "Rollback through routers, with dependencies down",
        "rows": rows,
        "targets": [
            {
                "what": "a rollback through any number of routers, whatever is down, p99",
                "target": f"≤ {TARGET_MS:.0f} ms",
                "measured": f"{worst['p99_ms']:.1f} ms ({worst['router_processes']} processes, "
                            f"{worst['down']} down)",
                "met": worst["p99_ms"] <= TARGET_MS,
            }
        ],
        "notes": [
            "From the call of the engine's rollback to the last decision for the candidate in any "
            "of the processes; every rollback is of 100 % of the traffic.",
            "call: until the routers have acknowledged and all is recorded that can be. A thread "
            "tells Prefect and Slack meanwhile, as in a guard. Reports are not drawn, as rounds "
            "follow each other faster than incidents do.",
            "Down: nothing listens at its address. What could not be recorded is completed before "
            "the next round, which is not part of a figure.",
            "The cases take turns: a round is one rollback of each.",
        ],
        "parameters": {"decisions_per_second": RATE, "rounds": rounds, "cores": os.cpu_count(),
                       "servers": "PostgreSQL, Valkey, Prefect and a stand-in of Slack, loopback"},
    }  # fmt: skip

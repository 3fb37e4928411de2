"""``advance`` with nothing to do beside a flow that does nothing, in pairs."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.overhead.prefect_runs import Land, land
from benchmarks.routing.timing import spread

TARGET_MS = 50.0
NAME = "m00001"


def measure(quick: bool) -> dict[str, Any]:
    """Milliseconds of both, and of each pair's difference: in this process and by a worker."""
    pairs, through_worker = (10, 2) if quick else (60, 8)
    with tempfile.TemporaryDirectory() as folder, land(Path(folder)) as place:
        place.fleet.grow(2)
        place.fleet.observe(place.fleet.names)
        rows = [
            *_rows("called in a process", _in_process(pairs)),
            *_rows("started on a worker", _by_worker(place, through_worker)),
        ]
    added = next(row for row in rows if row["what"] == "added by advance")
    return {
        "title": "advance with nothing to do, beside an empty flow",
        "rows": rows,
        "targets": [
            {
                "what": "added by advance, called in a process",
                "target": f"≤ {TARGET_MS:g} ms",
                "measured": f"{added['median_ms']:g} ms",
                "met": added["median_ms"] <= TARGET_MS,
            }
        ],
        "notes": [
            "The two take turns, so that a busy moment meets both; *added* is the difference "
            "within a pair.",
            "In a process: after two runs of each, with the heartbeat of flow runs off, as it "
            "adds a second to either. What is added is one task run with a look at the ledger, "
            "Redis and the outbox, and a question to Prefect, whether there is anything new to "
            "be shown.",
            "On a worker: from the call of the API to the final state. It starts a process for "
            "each run and imports Prefect in it; ours also imports the engine and opens its "
            "connections.",
        ],
        "parameters": {"pairs": pairs, "pairs_on_a_worker": through_worker},
    }


def _in_process(pairs: int) -> list[tuple[float, float]]:
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from benchmarks.overhead.empty import empty
    from flows.advance import advance

    logging.disable(logging.WARNING)
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        found = [(_timed(empty), _timed(advance)) for _ in range(pairs + 2)]
    logging.disable(logging.NOTSET)
    return found[2:]


def _timed(flow: Any) -> float:
    began = time.perf_counter()
    flow(NAME, actor="bench")
    return time.perf_counter() - began


def _by_worker(place: Land, pairs: int) -> list[tuple[float, float]]:
    return [
        (_run(place, "empty/empty", number), _run(place, "advance/advance", number))
        for number in range(pairs)
    ]


def _run(place: Land, deployment: str, number: int) -> float:
    began = time.perf_counter()
    parameters = {"migration": NAME, "actor": "bench"}
    run = place.launcher.start(deployment, parameters, f"{deployment}:{number}")
    kind, name, message = place.launcher.wait(run, 120, interval=0.05)
    assert kind == "COMPLETED", f"{name}: {message}"
    return time.perf_counter() - began


def _rows(how: str, pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    columns = {
        "an empty flow": [empty for empty, _ in pairs],
        "advance": [ours for _, ours in pairs],
        "added by advance": [ours - empty for empty, ours in pairs],
    }
    return [
        {"how": how, "what": what, "p10_ms": _ms(s.p10), "median_ms": _ms(s.median),
         "p90_ms": _ms(s.p90)}
        for what, times in columns.items()
        for s in [spread(times)]
    ]  # fmt: skip


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)

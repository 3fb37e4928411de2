"""From a person's approval to the new split: in routing, and at the last router."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.overhead.prefect_runs import Land, land
from benchmarks.routing.timing import spread
from switchover import Router
from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.collect import collect
from switchover.engine.drain import drain

ROUTERS = 8
PATIENCE = 120.0


def measure(quick: bool) -> dict[str, Any]:
    """Milliseconds from the approval, by who takes the approved step."""
    here, by_worker = (5, 1) if quick else (40, 6)
    with tempfile.TemporaryDirectory() as folder, land(Path(folder)) as place:
        # First: the rounds of the other kind leave runs to be started in the outbox.
        by_workers = [_round(place, f"worker{n}", True) for n in range(by_worker)]
        by_itself = [_round(place, f"here{n}", False) for n in range(here)]
        rows = [*_rows("the same process", by_itself), *_rows("a worker", by_workers)]
    return {
        "title": "From approval to the new split",
        "rows": rows,
        "notes": [
            f"{ROUTERS} routers follow each migration. The clock starts before the approval is "
            "written, and stops when routing holds the new split, and when the last router says "
            "that it serves by it.",
            "*a worker*: `switchover approve` writes the approval and asks Prefect for a run of "
            "`advance`, which a process worker picks up; what is in between is the start of that "
            "process. *the same process* is what the engine itself takes, as where somebody "
            "resumes the waiting run in the Prefect UI and its process is up.",
        ],
        "parameters": {"rounds": here, "rounds_by_a_worker": by_worker, "routers": ROUTERS},
    }


def _round(place: Land, name: str, worker: bool) -> tuple[float, float]:
    fleet = place.fleet
    context, redis_url = fleet.context, fleet.settings["SWITCHOVER_REDIS_URL"]
    fleet.begin(name, bake="1ms")
    routers = [Router(name, redis_url).start() for _ in range(ROUTERS)]
    try:
        for router in routers:
            assert router.wait_ready(10)
        _ask(place, name)
        if worker:
            drain(context)
        epoch = context.ledger.read(name).state.epoch
        began, at = time.perf_counter(), time.time()
        decide_approval(context, name, "approve", approver="ada", reason="bench", via="cli")
        if worker:
            drain(context)
        else:
            assert take_step(context, name, actor="ada").did
        while (held := context.routing.read(name)) is None or held.epoch == epoch:
            assert time.perf_counter() - began < PATIENCE, "the step was never taken"
            time.sleep(0.001)
        routed = time.perf_counter() - began
        spread_to = context.routing.wait_acknowledged(name, held.epoch, PATIENCE)
        assert spread_to.complete, spread_to
        assert spread_to.routers == ROUTERS, spread_to
        return routed, max(routed, spread_to.last_at - at)
    finally:
        for router in routers:
            router.close()


def _ask(place: Land, name: str) -> None:
    """Ship good evidence until a person's approval is due."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        place.fleet.observe([name])
        collect(place.fleet.context, name)
        if take_step(place.fleet.context, name, actor="bench").action == "ask":
            return
        assert time.perf_counter() < deadline, "no approval was asked for"
        time.sleep(0.05)


def _rows(who: str, rounds: list[tuple[float, float]]) -> list[dict[str, Any]]:
    columns = {
        "new split in routing": [routed for routed, _ in rounds],
        "last router serves it": [last for _, last in rounds],
    }
    return [
        {"step_taken_by": who, "what": what, "p10_ms": round(1000 * s.p10, 1),
         "median_ms": round(1000 * s.median, 1), "p90_ms": round(1000 * s.p90, 1)}
        for what, times in columns.items()
        for s in [spread(times)]
    ]  # fmt: skip

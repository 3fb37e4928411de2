"""What one update of a gate costs, and whether its memory grows."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.judge.ours import RULES
from benchmarks.judge.scenarios import SCENARIOS, Scenario
from switchover.judge.block import Look
from switchover.judge.rollout import begin, enter_stage, observe

#: Looks after which the evidence is measured.
EARLY, LATE = 200, 1400


def cost(quick: bool = False) -> dict[str, Any]:
    """Microseconds of one update by kind of gate, and the size of its evidence as JSON."""
    seen: dict[tuple[str, str], Scenario] = {}
    for scenario in SCENARIOS:
        if scenario.traffic != "20/h":
            seen.setdefault((scenario.gate.kind, scenario.traffic), scenario)
    chosen = [one for one in seen.values() if not quick or one.traffic != "1,000/s"]
    rows = [_row(scenario, quick) for scenario in chosen]
    return {
        "title": "Cost of one update",
        "rows": rows,
        "notes": [
            "One update is `observe` of one gate on one look, in processor time, as other programs "
            "shall not count; over the looks of one day, each the least of three runs.",
            "Bytes are those of the evidence as JSON, as it is kept between looks.",
        ],
        "parameters": {"looks": LATE, "early": EARLY},
    }


def _row(scenario: Scenario, quick: bool) -> dict[str, Any]:
    stream, _ = scenario.rollout(0)
    looks = list(stream.looks())[: (2 * EARLY if quick else LATE) + 1]
    runs = [_timed(scenario, looks) for _ in range(1 if quick else 3)]
    taken = [min(times) for times in zip(*(times for times, _, _ in runs), strict=True)]
    _, early, late = runs[0]
    return {
        "kind": scenario.gate.kind,
        "traffic": scenario.traffic,
        "median_us": round(statistics.median(taken) * 1e6, 1),
        "p90_us": round(statistics.quantiles(taken, n=10)[-1] * 1e6, 1),
        "bytes_early": early,
        "bytes_late": late,
    }


def _timed(scenario: Scenario, looks: Sequence[Look | None]) -> tuple[list[float], int, int]:
    """Seconds of each update, and the evidence's size early and late."""
    evidence = enter_stage(begin((scenario.gate,)), "canary", "canary")
    taken, early = [], 0
    for minute, look in enumerate(looks):
        if look is None:
            continue
        began = time.thread_time()
        evidence = observe((scenario.gate,), RULES, evidence, look, at=60.0 * minute)
        taken.append(time.thread_time() - began)
        if minute == EARLY:
            early = len(json.dumps(evidence.to_dict()))
    return taken, early, len(json.dumps(evidence.to_dict()))

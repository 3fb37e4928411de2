"""What one update of a gate costs, and whether its memory grows."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from benchmarks.judge.ours import RULES
from benchmarks.judge.scenarios import SCENARIOS, Scenario
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
            "One update is `observe` of one gate on one look; median over the looks of one day.",
            "Bytes are those of the evidence as JSON, as it is kept between looks.",
        ],
        "parameters": {"looks": LATE, "early": EARLY},
    }


def _row(scenario: Scenario, quick: bool) -> dict[str, Any]:
    stream, _ = scenario.rollout(0)
    evidence = enter_stage(begin((scenario.gate,)), "canary", "canary")
    taken, early = [], 0
    for minute, look in enumerate(stream.looks()):
        if look is None:
            continue
        began = time.perf_counter()
        evidence = observe((scenario.gate,), RULES, evidence, look, at=60.0 * minute)
        taken.append(time.perf_counter() - began)
        if minute == EARLY:
            early = len(json.dumps(evidence.to_dict()))
        if minute == LATE or (quick and minute == 2 * EARLY):
            break
    return {
        "kind": scenario.gate.kind,
        "traffic": scenario.traffic,
        "median_us": round(statistics.median(taken) * 1e6, 1),
        "p90_us": round(statistics.quantiles(taken, n=10)[-1] * 1e6, 1),
        "bytes_early": early,
        "bytes_late": len(json.dumps(evidence.to_dict())),
    }

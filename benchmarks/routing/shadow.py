"""What shadowing adds to a caller's time when the candidate takes 200 ms.

Switchover's shadows beside LaunchDarkly's migrator and `laboratory`, in turns, at one rate.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.routing.callers import Caller, callers
from benchmarks.routing.offline import stay_on_machine
from benchmarks.routing.timing import percentile

DELAY, RATE = 0.2, 100.0
LIMIT_MS = 1.0
#: Of a turn: the two percentiles that are told.
SHARES = {"p50": 0.50, "p99": 0.99}


def added(
    these: Sequence[Sequence[float]], those: Sequence[Sequence[float]], share: float
) -> float:
    """What ``these`` turns take more than ``those``: the median of the turns' differences."""
    return statistics.median(
        percentile(one, share) - percentile(other, share)
        for one, other in zip(these, those, strict=True)
    )


def take_turns(everybody: list[Caller], turns: int, requests: int) -> dict[str, list[list[float]]]:
    """Seconds by caller and turn; the one that begins changes from turn to turn.

    Every shadowed request must have been compared, else a figure would be of something else.
    """
    for caller in everybody:
        caller.turn(requests // 4, RATE)
    _settle(everybody, requests // 4)
    times: dict[str, list[list[float]]] = {caller.name: [] for caller in everybody}
    for number in range(turns):
        first = number % len(everybody)
        for caller in everybody[first:] + everybody[:first]:
            times[caller.name].append(caller.turn(requests, RATE))
            # The last shadow calls end here, and not in the next one's turn.
            time.sleep(2 * DELAY)
    _settle(everybody, requests // 4 + turns * requests)
    return times


def _settle(everybody: list[Caller], expected: int) -> None:
    time.sleep(2 * DELAY)
    for caller in everybody:
        if caller.beside and caller.compared.pairs != expected:
            raise RuntimeError(
                f"{caller.name} compared {caller.compared.pairs} pairs of {expected}"
            )


def table(everybody: list[Caller], times: dict[str, list[list[float]]]) -> list[dict[str, Any]]:
    """A row per caller."""
    rows = []
    for caller in everybody:
        turns = times[caller.name]
        row: dict[str, Any] = {"what": caller.name}
        for name, share in SHARES.items():
            whole = percentile([value for turn in turns for value in turn], share)
            row[f"{name}_ms"] = round(whole * 1e3, 3)
        for name, share in SHARES.items() if caller.beside else ():
            row[f"added_{name}_ms"] = round(added(turns, times[caller.beside], share) * 1e3, 3)
        rows.append(row)
    return rows


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure everybody."""
    attempts = stay_on_machine()
    turns, requests = (3, 60) if quick else (9, 200)
    with ExitStack() as stack:
        everybody = callers(DELAY, stack)
        rows = table(everybody, take_turns(everybody, turns, requests))
    if attempts:
        raise RuntimeError(f"somebody tried to reach another machine: {attempts}")
    ours = [row for row in rows if row["what"].startswith("Switchover")]
    return {
        "title": "Shadow overhead",
        "rows": rows,
        "targets": [
            {
                "what": f"added to p99 by {row['what']}",
                "target": f"< {LIMIT_MS:g} ms",
                "measured": f"{row['added_p99_ms']:.3f} ms",
                "met": row["added_p99_ms"] < LIMIT_MS,
            }
            for row in ours
        ],
        "notes": [f"{caller.name}: {caller.setting}." for caller in everybody if caller.setting],
        "parameters": {
            "candidate_delay_ms": DELAY * 1e3,
            "requests_per_second": RATE,
            "turns": turns,
            "requests_per_turn": requests,
        },
    }

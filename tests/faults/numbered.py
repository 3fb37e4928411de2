"""A kill before and after every numbered call of every scenario."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from functools import partial

from tests.faults.arena import Arena
from tests.faults.crew import Driver
from tests.faults.scenarios import SCENARIOS
from tests.faults.trial import Outcome, Trial, finish

DATABASES = ("sqlite", "postgresql")


def numbered(arena: Arena, scenario: str, database: str) -> list[Trial]:
    """All trials of a scenario: as many calls as an undisturbed journey makes, twice."""
    _, names = arena.undisturbed(scenario)
    return [
        trial(scenario, place, when, database, names[place - 1])
        for place in range(1, len(names) + 1)
        for when in ("before", "after")
    ]


def trial(scenario: str, place: int, when: str, database: str, call: str = "") -> Trial:
    """Kill at call number ``place``, and run again."""
    name = f"call/{scenario}/{database}/{place}/{when}"
    what = f"{scenario} ({'SQLite' if database == 'sqlite' else 'PostgreSQL'})"
    return Trial(name, what, "before and after a call",
                 partial(_kill, scenario, place, when, database, call))  # fmt: skip


def _kill(scenario: str, place: int, when: str, database: str, call: str, arena: Arena) -> Outcome:
    arena.undisturbed(scenario)
    site, outcome = arena.site(scenario, database), Outcome()
    report = Driver(site, scenario, kill_at=place, before=when == "before").report()
    if not report.killed:
        outcome.faults.append(f"was to be killed {when} call {place}, {call}: {report.error}")
        return outcome
    outcome.kills = 1
    found = finish(arena, site, scenario, outcome, time.monotonic(), exact=True)
    found.faults = [f"killed {when} call {place}, {call}: {fault}" for fault in found.faults]
    return found


def sample(arena: Arena, kills: int, chance: random.Random,
           scenarios: Sequence[str] = ()) -> list[Trial]:  # fmt: skip
    """``kills`` of all numbered trials, or all where there are fewer: from each scenario as large
    a part as from any other, four of five on SQLite."""
    chosen: list[Trial] = []
    for database, part in (("sqlite", 4 * kills // 5), ("postgresql", kills - 4 * kills // 5)):
        pools = [numbered(arena, name, database) for name in scenarios or SCENARIOS]
        total = sum(map(len, pools))
        shares = _shares([len(pool) for pool in pools], min(part, total))
        for pool, share in zip(pools, shares, strict=True):
            chosen += chance.sample(pool, share)
    chance.shuffle(chosen)
    return chosen


def _shares(sizes: Sequence[int], part: int) -> Iterator[int]:
    """``part`` shared out in proportion to ``sizes``."""
    done, gone = 0, 0
    for size in sizes:
        done += size
        upto = part * done // sum(sizes)
        yield upto - gone
        gone = upto

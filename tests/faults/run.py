"""Which trials a run of the suite does, and in which arena."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.arena import Arena, Known
from tests.faults.instants import instant, instants
from tests.faults.numbered import numbered, sample
from tests.faults.numbered import trial as numbered_trial
from tests.faults.scenarios import SCENARIOS
from tests.faults.table import Findings
from tests.faults.trial import Outcome, Trial

#: Told after each trial: how many are done, of how many, and what was found.
Say = Callable[[int, int, Findings], None]

#: One of so many kills is at a random instant instead of a numbered call.
_ONE_IN = 5
#: Kills that one round of `instants` makes, about.
_ROUND = 36


def planned(arena: Arena, kills: int | None, chance: random.Random) -> list[Trial]:
    """About ``kills`` kills; None for every numbered call of every scenario on SQLite and a
    fifth of them on PostgreSQL."""
    with ThreadPoolExecutor(2) as two:
        list(two.map(arena.undisturbed, SCENARIOS))
    if kills is None:
        every = [each for name in SCENARIOS for each in numbered(arena, name, "sqlite")]
        also = [each for name in SCENARIOS for each in numbered(arena, name, "postgresql")]
        chance.shuffle(every)
        return [*every, *chance.sample(also, len(also) // 5), *instants(chance, 4)]
    rounds = max(1, round(kills / _ONE_IN / _ROUND))
    return [*sample(arena, max(0, kills - rounds * _ROUND), chance), *instants(chance, rounds)]


def named(name: str) -> Trial:
    """The trial of that name."""
    kind, *parts = name.split("/")
    if kind == "call":
        scenario, database, place, when = parts
        return numbered_trial(scenario, int(place), when, database)
    if kind == "instant":
        attack, scenario, seed = parts
        return instant(attack, scenario, int(seed))
    raise SystemExit(f"there is no trial {name!r}; a violation names its own")


def again(directory: Path, name: str, findings: Findings, say: Say) -> None:
    """Do one trial again."""
    if name.startswith("prefect/"):
        from tests.faults.on_prefect import on_prefect

        _, number, seed = name.split("/")
        for done, outcome in on_prefect(directory / "prefect", [int(number)], int(seed)):
            findings.add(done, outcome)
        say(1, 1, findings)
        return
    chosen = named(name)
    with Arena(directory / "again") as arena:
        findings.add(chosen, chosen.run(arena))
    say(1, 1, findings)


def run(directory: Path, kills: int | None, seed: int, findings: Findings, say: Say,
        prefect: int) -> None:  # fmt: skip
    """Do all: numbered calls on servers that nobody touches, beside them what needs a server to
    die, one after the other, and last what needs a real Prefect."""
    known: Known = {}
    with Arena(directory / "calls", known) as steady, Arena(directory / "shaken", known) as shaken:
        trials = planned(steady, kills, random.Random(seed))
        calls = [each for each in trials if each.name.startswith("call/")]
        others = [each for each in trials if not each.name.startswith("call/")]
        told = Tally(findings, say, len(trials) + 3 * prefect)
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
            work = [one.submit(told.add, each, shaken) for each in others]
            work += [two.submit(told.add, each, steady) for each in calls]
            for future in work:
                future.result()
    if prefect:
        from tests.faults.on_prefect import on_prefect

        for trial, outcome in on_prefect(directory / "prefect", range(prefect), seed):
            told.count(trial, outcome)


class Tally:
    """Counts trials as they end, from several threads."""

    def __init__(self, findings: Findings, say: Say, of: int) -> None:
        self._findings, self._say, self._of, self._done = findings, say, of, 0
        self._lock = threading.Lock()

    def add(self, trial: Trial, arena: Arena) -> None:
        """Do a trial and count it."""
        self.count(trial, trial.run(arena))

    def count(self, trial: Trial, outcome: Outcome) -> None:
        """Count a trial that was done."""
        with self._lock:
            self._findings.add(trial, outcome)
            self._done += 1
            self._say(self._done, self._of, self._findings)

"""One trial of the suite: what is done to one journey, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.arena import Arena
from tests.faults.crew import Driver
from tests.faults.journey import Site
from tests.faults.outside import difference, milestones, outside


@dataclass
class Outcome:
    """``kills`` that hit a living journey; ``seconds`` from the last to the same end state;
    ``faults`` are violated invariants and other ends, in words."""

    kills: int = 0
    resumed: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """``name`` says exactly what is done, and is all that is needed to do it again; ``what`` and
    ``when`` are its row in the table."""

    name: str
    what: str
    when: str
    do: Callable[[Arena], Outcome]

    def run(self, arena: Arena) -> Outcome:
        """Do it; an error of the trial itself is a fault of the journey, too."""
        try:
            return self.do(arena)
        except Exception as error:
            return Outcome(faults=[f"{type(error).__name__}: {error}"])


def finish(arena: Arena, site: Site, scenario: str, outcome: Outcome, hit: float, *,
           exact: bool) -> Outcome:  # fmt: skip
    """Run again until nothing is left to do, and compare with a journey that nothing happened to.

    ``hit`` is when the last fault was. What is not ``exact`` may repeat looks and notes.
    """
    report = Driver(site, scenario).report()
    outcome.seconds = time.monotonic() - hit
    if not report.names:
        outcome.faults.append(f"it does not end: {report.error or 'killed by somebody else'}")
        return outcome
    wanted, _ = arena.undisturbed(scenario)
    try:
        seen = outside(site)
    except AssertionError as error:
        outcome.faults.append(str(error))
        return outcome
    told = difference(seen, wanted) if exact else difference(milestones(seen), milestones(wanted))
    if told:
        outcome.faults.append(told)
        return outcome
    outcome.resumed = outcome.kills
    arena.clear(site)
    return outcome

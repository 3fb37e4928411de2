"""Journeys on a real Prefect, whose processes and servers are killed under running flows."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from switchover.clock import SystemClock
from switchover.engine.approve import decide_approval
from switchover.engine.assess import due
from switchover.engine.drain import drain
from switchover.engine.project import snapshot_of
from switchover.errors import SwitchoverError
from switchover.launcher.prefect_api import FINAL
from switchover.ledger import verify
from switchover.machine.action import Wait
from switchover.machine.state import Phase
from tests.faults.trial import Outcome, Trial
from tests.flows.conftest import Journey, Land

T = TypeVar("T")

STAGES = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 25, "bake": "1s"},
    {"kind": "canary", "percent": 100, "bake": "1s", "approval": True},
]
#: Seconds until a run is given up, and another one started.
GIVES_UP = 45.0
_WHEN = "during a flow run"
#: Kinds of fault, in turn, one for each run of a journey.
VICTIMS = ("flow run", "worker", "Prefect server", "flow run", "Redis", "PostgreSQL")


class Later:
    """A clock ahead of the real one, by which the leases of the killed are over."""

    def now(self) -> datetime:
        """Two hours from now."""
        return SystemClock().now() + timedelta(hours=2)


def on_prefect(
    directory: Path, numbers: Iterable[int], seed: int
) -> Iterator[tuple[Trial, Outcome]]:
    """The journeys of these numbers, one after the other; the victims take turns."""
    directory.mkdir(parents=True)
    land = Land(directory)
    try:
        for number in numbers:
            yield from _journey(land, number, seed)
    finally:
        land.stop()


def _journey(land: Land, number: int, seed: int) -> Iterator[tuple[Trial, Outcome]]:
    """One journey; each of its first runs has a victim, and a row of its own."""
    name, chance = f"on-prefect-{number}", random.Random(f"prefect/{seed}/{number}")
    victims = [VICTIMS[(3 * number + turn) % len(VICTIMS)] for turn in range(3)]
    journey, outcomes = Journey(land, name), list[tuple[Trial, Outcome]]()
    journey.start(stages=STAGES)
    hit, left = time.monotonic(), list(victims)
    for _ in range(20):
        if patiently(lambda: journey.case).state.phase is Phase.COMPLETE:
            break
        _prepare(journey)
        run = patiently(lambda: journey.launch("advance/advance", actor="test"))
        if left:
            victim, outcome = left.pop(0), Outcome()
            outcome.kills = int(_kill(land, journey, run, victim, chance))
            hit = time.monotonic()
            what = f"{victim} (real Prefect)"
            trial = Trial(f"prefect/{number}/{seed}", what, _WHEN, lambda arena: Outcome())
            outcomes.append((trial, outcome))
        land.stack.revive()
        _await(journey, run)
    faults = patiently(partial(_faults, journey))
    for trial, outcome in outcomes:
        outcome.seconds = time.monotonic() - hit
        outcome.resumed = 0 if faults else outcome.kills
        outcome.faults, faults = faults, []
        yield trial, outcome


def patiently(ask: Callable[[], T]) -> T:
    """Ask again while a server comes back."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except SwitchoverError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _prepare(journey: Journey) -> None:
    """What people and recorders do before the next step."""
    case = patiently(lambda: journey.case)
    action = due(case)
    if isinstance(action, Wait) and action.code == "approval":
        patiently(
            lambda: decide_approval(
                journey.context, journey.migration, "approve", approver="ada", via="cli"
            )
        )
    elif case.state.split and case.state.phase is not Phase.AWAITING_APPROVAL:
        patiently(journey.evidence)


def _kill(land: Land, journey: Journey, run: str, victim: str, chance: random.Random) -> bool:
    """Kill the victim while the run is under way; False when it was over before."""
    process = _process(journey, run)
    time.sleep(chance.uniform(0, 4))
    parts = {"worker": land.stack.worker, "Prefect server": land.stack.server,
             "Redis": land.stack.valkey, "PostgreSQL": land.stack.postgres}  # fmt: skip
    if victim == "flow run":
        if process is None:
            return False
        with suppress(ProcessLookupError):  # it was faster
            os.kill(process, signal.SIGKILL)
            return True
        return False
    part = parts[victim]
    assert part is not None
    part.process.kill()
    return True


def _process(journey: Journey, run: str) -> int | None:
    """The process of a run, once there is one; None when it has ended already."""
    wanted = f"PREFECT__FLOW_RUN_ID={run}".encode()
    deadline = time.monotonic() + GIVES_UP
    while time.monotonic() < deadline:
        for folder in Path("/proc").iterdir():
            with suppress(OSError):  # it has ended, or is somebody else's
                if folder.name.isdigit() and wanted in (folder / "environ").read_bytes():
                    return int(folder.name)
        if patiently(lambda: journey.launcher.state(run))[0] in FINAL:
            return None
        time.sleep(0.05)
    return None


def _await(journey: Journey, run: str) -> None:
    """Until the run has ended, one way or the other, or for long enough."""
    deadline = time.monotonic() + GIVES_UP
    while time.monotonic() < deadline:
        if patiently(lambda: journey.launcher.state(run))[0] in FINAL:
            return
        time.sleep(0.2)


def _faults(journey: Journey) -> list[str]:
    """What is not as it has to be at the end; effects that the killed held are done first."""
    context, name = replace(journey.context, clock=Later()), journey.migration
    deadline = time.monotonic() + 60
    while any(row["status"] != "done" for row in context.ledger.effects(name)):
        drain(context)
        if time.monotonic() > deadline:
            return [f"effects are left over: {context.ledger.effects(name)}"]
        time.sleep(0.5)
    case, faults = journey.case, [str(each) for each in verify(journey.land.ledger, name)]
    kinds = Counter(entry.kind for entry in context.ledger.entries(name))
    once = ("started", "work_recorded", "approval_requested", "approval_decided")
    kinds.update(each.payload["title"] for each in journey.entries("stage_entered"))
    wanted = dict.fromkeys((*once, "canary 25 %", "canary 100 %", "complete"), 1)
    seen = {kind: kinds[kind] for kind in wanted}
    if case.state.phase is not Phase.COMPLETE or seen != wanted:
        faults.append(f"it ended {case.state.phase.value} with {seen}")
    stored: Any = context.routing.read(name)
    if stored != snapshot_of(case):
        faults.append(f"routing is {stored}, the ledger wants {snapshot_of(case)}")
    if any(values.get("migration") == name for _, values in
           journey.launcher.waiting("approve/approve")):  # fmt: skip
        faults.append("a run of approve waits for nobody")
    return faults

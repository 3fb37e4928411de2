"""Eight processes, SIGKILL and stalled clocks at random: no item served twice, none lost."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from switchover.errors import StaleClaim
from switchover.routing.claim_state import Claim
from switchover.routing.claims import Claims

SCALE = 5 if os.environ.get("SWITCHOVER_FAULTS") == "all" else 1
ITEMS = 10_000 * SCALE
WORKERS = 8
LEASE = 0.15
#: Items that the workers have in hand together; a small number makes them meet.
WINDOW = 400
#: Of the claims, the share whose owner stops or dies at a chosen place.
STALLS, DEATHS = 1 / 250, 1 / 400
#: Of every so many items one stops its first two owners, so that the first one comes back
#: while the second holds the item: nothing but the fencing token tells the two apart.
CURSED = 800
#: How long a stopped owner sleeps: beyond its lease, within that of the next owner.
ASLEEP = 1.5 * LEASE
_PROCESSES = multiprocessing.get_context("fork")


class Worker:
    """Claims and completes items until all of them are served, and writes down what it was told."""

    def __init__(self, url: str, name: str, log: Path, seed: int, served: Any, owners: Any) -> None:
        self.claims = Claims(name, url, LEASE)
        self.chance, self.owner = random.Random(seed), f"{seed}"
        self.served, self.owners = served, owners
        self.log = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(self, what: str, claim: Claim) -> None:
        """One write, so that a kill leaves a whole line or none."""
        os.write(self.log, f"{what} {claim.item} {claim.token}\n".encode())

    def run(self) -> None:
        for begin in range(0, ITEMS, WINDOW):
            left = list(range(begin, begin + WINDOW))
            while left:
                self.chance.shuffle(left)
                left = [item for item in left if not self.served[item]]
                for item in left:
                    # Most redeliveries are noticed early; some reach the claim.
                    if not self.served[item] or self.chance.random() < 0.1:
                        self.work(item)

    def work(self, item: int) -> None:
        system = self.chance.choice(("legacy", "candidate"))
        claim = self.claims.claim(str(item), self.owner, system)
        if claim is None:
            if self.claims.state(str(item)).served is not None:
                self.served[item] = 1
            return
        self.note("claimed", claim)
        self.owners[item] += 1
        if item % CURSED == 0 and self.owners[item] <= 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        self.strike()
        try:
            self.claims.complete(claim, {"by": claim.token})
        except StaleClaim:
            self.note("refused", claim)
            return
        self.strike()
        self.note("accepted", claim)
        self.served[item] = 1

    def strike(self) -> None:
        """Stop for longer than the lease, or die, right here."""
        drawn = self.chance.random()
        if drawn < STALLS:
            os.kill(os.getpid(), signal.SIGSTOP)
        elif drawn < STALLS + DEATHS:
            os.kill(os.getpid(), signal.SIGKILL)


class Crew:
    """The workers, and the one that strikes them from outside."""

    def __init__(self, url: str, name: str, log: Path) -> None:
        self.make, self.seeds = (url, name, log), iter(range(1, 10**6))
        self.shared = _PROCESSES.RawArray("b", ITEMS), _PROCESSES.RawArray("h", ITEMS)
        self.chance = random.Random(20260105)
        self.struck: Counter[str] = Counter()
        self.stopped: dict[int, float] = {}
        self.workers = [self.hire() for _ in range(WORKERS)]

    def hire(self) -> ForkProcess:
        arguments = (*self.make, next(self.seeds), *self.shared)
        worker = _PROCESSES.Process(target=lambda: Worker(*arguments).run(), daemon=True)
        worker.start()
        return worker

    def watch(self) -> bool:
        """Replace the dead and wake those that slept long enough; False once all have finished."""
        now = time.monotonic()
        for place, worker in enumerate(self.workers):
            if worker.exitcode == -signal.SIGKILL:
                self.struck["killed"] += 1
                self.workers[place] = self.hire()
            elif worker.is_alive() and self.is_stopped(worker):
                since = self.stopped.setdefault(worker.pid or 0, now)
                if now - since > ASLEEP:
                    self.struck["stalled"] += 1
                    del self.stopped[worker.pid or 0]
                    os.kill(worker.pid or 0, signal.SIGCONT)
        assert not [w for w in self.workers if w.exitcode not in (None, 0, -signal.SIGKILL)]
        return any(worker.exitcode != 0 for worker in self.workers)

    @staticmethod
    def is_stopped(worker: ForkProcess) -> bool:
        return bool(psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)

    def strike(self) -> None:
        """Kill or stop one of the workers, wherever it is."""
        worker = self.chance.choice(self.workers)
        if worker.is_alive():
            kind = self.chance.choice((signal.SIGKILL, signal.SIGSTOP))
            os.kill(worker.pid or 0, kind)

    def dismiss(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.kill(worker.pid or 0, signal.SIGKILL)
            worker.join(10)


@pytest.fixture
def crew(redis_url: str, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(redis_url, f"agents-{uuid4().hex}", tmp_path / "log")
    yield crew
    crew.dismiss()


@pytest.mark.req("INV9")
@pytest.mark.req("T3")
@pytest.mark.timeout(600)
def test_no_item_is_served_twice_or_lost_whatever_happens_to_the_owners(crew: Crew) -> None:
    """Every item ends with one result, of the newest claim; late writes of older ones are void."""
    struck_at = time.monotonic()
    while crew.watch():
        if time.monotonic() - struck_at > 0.1:
            crew.strike()
            struck_at = time.monotonic()
        time.sleep(0.01)

    url, name, log = crew.make
    told: dict[str, list[tuple[str, int]]] = {"claimed": [], "accepted": [], "refused": []}
    for line in log.read_text().splitlines():
        what, item, token = line.split()
        told[what].append((item, int(token)))
    claims = Claims(name, url, LEASE)
    states = {str(item): claims.state(str(item)) for item in range(ITEMS)}

    lost = [item for item, state in states.items() if state.served is None]
    assert not lost
    winners = {item: state.token for item, state in states.items()}
    assert all(s.served and s.served.value == {"by": s.token} for s in states.values())
    # Whoever was told "accepted" is the one whose result stands, so nobody else was served.
    assert [pair for pair in told["accepted"] if winners[pair[0]] != pair[1]] == []
    assert [pair for pair in told["refused"] if winners[pair[0]] == pair[1]] == []
    assert max(Counter(item for item, _ in told["accepted"]).values()) == 1

    by_item: dict[str, list[int]] = {}
    for item, token in told["claimed"]:
        by_item.setdefault(item, []).append(token)
    # A stopped owner may write its line late, but every claim has a token of its own.
    assert all(a < b for tokens in by_item.values() for a, b in pairwise(sorted(tokens)))
    taken_over = sum(len(tokens) > 1 for tokens in by_item.values())
    assert min(crew.struck["killed"], crew.struck["stalled"], taken_over) >= 10, crew.struck
    assert len(told["refused"]) >= 5, "the stalls missed the moment between claim and completion"


def _stalling(url: str, name: str, pipe: Any) -> None:
    """Claim, stop as a paused machine does, and complete as if nothing had been."""
    claims = Claims(name, url, LEASE)
    claim = claims.claim("item", "stalled", "legacy")
    assert claim is not None
    pipe.send(claim.token)
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        claims.complete(claim, "stale")
        pipe.send("accepted")
    except StaleClaim as refusal:
        pipe.send(refusal.stored)


@pytest.mark.req("T3")
def test_an_owner_that_slept_through_its_lease_is_refused(redis_url: str) -> None:
    """Its clock stood still, so it can't know; the fencing token does."""
    name = f"agents-{uuid4().hex}"
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    owner = _PROCESSES.Process(target=_stalling, args=(redis_url, name, theirs), daemon=True)
    owner.start()
    first = ours.recv()
    claims = Claims(name, redis_url, LEASE)
    while (claim := claims.claim("item", "next", "candidate")) is None:
        time.sleep(0.01)
    claims.complete(claim, "served")
    while not Crew.is_stopped(owner):
        time.sleep(0.01)
    os.kill(owner.pid or 0, signal.SIGCONT)
    assert ours.recv() == claim.token > first
    owner.join(10)
    served = claims.state("item").served
    assert served is not None
    assert served.value == "served"

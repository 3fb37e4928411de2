"""Processes that ask a router without pause, and watch that every answer makes sense."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import Key
from switchover.routing.router import Router
from switchover.routing.snapshot import Decision, compile_snapshot, decide
from tests.eventually import eventually

KEYS: tuple[Key, ...] = ("a", "b", "", "ä", "\ud800", 0, -7, 10**50, b"a", b"\xff", *range(50))

#: Seconds that a router of these tests goes without Redis.
MAX_STALENESS = 1.0

_PROCESSES = multiprocessing.get_context("fork")


@dataclass
class Account:
    """What one process saw: ``now`` are the answers to all keys at the moment of asking."""

    calls: int = 0
    wrong: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    now: list[Decision] = field(default_factory=list)
    healthy: bool = False
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def reasons_now(self) -> set[str]:
        return {decision.reason for decision in self.now}


def allowed(documents: Sequence[Snapshot]) -> dict[Key, set[Decision]]:
    """Every answer that is right for a key at some time, when these are the good documents."""
    tables = [compile_snapshot(document) for document in documents]
    epochs = [0, *(document.epoch for document in documents)]
    waiting = {Decision("legacy", "cold_start", 0, False)}
    stale = {Decision("legacy", "stale", epoch, False) for epoch in epochs}
    return {key: waiting | stale | {decide(table, key) for table in tables} for key in KEYS}


class Caller:
    """One process: ``threads`` of them ask in turns, for every key a decision and a flag."""

    def __init__(
        self, name: str, url: str, right: Mapping[Key, set[Decision]], threads: int
    ) -> None:
        self.right, self.account = right, Account()
        self.router = Router(name, url, MAX_STALENESS)
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(threads)]

    def ask(self) -> None:
        while True:
            try:
                for key in KEYS:
                    self.check(key)
                _ = self.router.mode, self.router.epoch, self.router.turned, self.router.agreement
            except BaseException as error:
                self.account.wrong.append(f"raised {error!r}")
            time.sleep(0.001)

    def check(self, key: Key) -> None:
        decision, flag = self.router.route(key), self.router.flag("new", key)
        self.account.calls += 1
        self.account.reasons.add(decision.reason)
        if decision not in self.right[key]:
            self.account.wrong.append(f"{key!r}: {decision}")
        if flag.on and flag.reason in ("stale", "cold_start", "unknown"):
            self.account.wrong.append(f"{key!r}: {flag}")

    def serve(self, pipe: Connection) -> None:
        """Ask until told to end; report whenever asked."""
        with self.router:
            for thread in self.threads:
                thread.start()
            while pipe.recv() == "report":
                self.account.now = [self.router.route(key) for key in KEYS]
                self.account.healthy = self.router.healthy
                self.account.counters = dict(self.router.counters)
                pipe.send(self.account)


class Fleet:
    """Some processes of callers, under load for as long as the block runs."""

    def __init__(
        self, name: str, url: str, documents: Sequence[Snapshot], processes: int = 2
    ) -> None:
        arguments = (name, url, allowed(documents), 3)
        self.members: list[tuple[ForkProcess, Connection]] = []
        for _ in range(processes):
            ours, theirs = _PROCESSES.Pipe()
            process = _PROCESSES.Process(
                target=lambda pipe=theirs: Caller(*arguments).serve(pipe), daemon=True
            )
            process.start()
            self.members.append((process, ours))

    def report(self) -> list[Account]:
        """What each process saw so far."""
        for _, pipe in self.members:
            pipe.send("report")
        return [pipe.recv() for _, pipe in self.members]

    def all_see(self, *reasons: str) -> bool:
        """Wait until every process answers with these reasons and no others."""
        return eventually(lambda: all(a.reasons_now == set(reasons) for a in self.report()))

    def all_count(self, counter: str) -> bool:
        """Wait until every process has counted one of these."""
        return eventually(lambda: all(a.counters.get(counter, 0) for a in self.report()))

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: Any) -> None:
        for process, pipe in self.members:
            pipe.send("end")
            process.join(10)
            process.kill()

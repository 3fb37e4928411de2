"""A whole engine in memory, with a clock that moves when told to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from switchover.clock import ManualClock
from switchover.engine.advance import Outcome, take_step
from switchover.engine.collect import collect
from switchover.engine.context import Case, Context
from switchover.engine.drain import drain
from switchover.engine.start import start
from switchover.engine.work import record_data, record_work
from switchover.judge.block import Block
from switchover.judge.sketch import bucket_of
from switchover.plan.load import LoadedPlan, digest, restore_plan
from switchover.ports import CheckResult, Effect
from switchover.testing.approvers import InMemoryApprovers
from switchover.testing.incidents import work_through
from switchover.testing.ledger import InMemoryLedger
from switchover.testing.routing import InMemoryBlockStream, InMemoryRoutingStore

PLAN: dict[str, Any] = {
    "switchover": 1,
    "migration": "demo",
    "title": "Demo",
    "systems": {
        "legacy": {"version": "1", "url": "http://127.0.0.1:1"},
        "candidate": {"version": "2", "url": "http://127.0.0.1:2"},
    },
    "request_key": {"field": "id"},
    "checks": [{"name": "up", "kind": "health"}],
    "stages": [
        {"kind": "checks"},
        {"kind": "shadow", "bake": "1h"},
        {"kind": "canary", "percent": 10, "bake": "1h"},
        {"kind": "canary", "percent": 100, "bake": "1h", "approval": True},
    ],
    "gates": [
        {"metric": "success_rate", "at_least": "90%"},
        {"metric": "prediction_latency_p99", "at_most": "200ms"},
    ],
    "approvals": {"approvers": ["ada", "bo"], "expires": "10h"},
    "rollback": {"flags": ["new-format"]},
}


class Unused:
    """Stands where a port must not be called in a test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} must not be called here")


class World:
    """A context in memory and the moves that tests make in it."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.ledger = InMemoryLedger()
        self.routing = InMemoryRoutingStore()
        self.stream = InMemoryBlockStream()
        self.approvers = InMemoryApprovers(self.clock)
        self.effects: list[Effect] = []
        self.directory = directory
        self._ids = itertools.count()
        kinds = ("start_flow", "end_approval", "incident_report", "page", "notice",
                 "release_step", "forget_code")  # fmt: skip
        self.context = Context(
            self.ledger, self.routing, self.stream, self.clock, Unused(), Unused(), Unused(),
            {**dict.fromkeys(kinds, self._perform), "runbook": lambda _: {}},
            approvers=self.approvers,
        )  # fmt: skip

    def _perform(self, effect: Effect) -> dict[str, Any]:
        self.effects.append(effect)
        return {"run": "r"}

    def plan(self, **changes: Any) -> LoadedPlan:
        """The test plan with changed sections."""
        document = {**PLAN, **changes}
        return LoadedPlan(
            plan=restore_plan(document), directory=self.directory, files=(), source="",
            digest=digest(document), document=document,
        )  # fmt: skip

    def start(self, **changes: Any) -> Case:
        """Start the plan as carl, who is no approver. A rollback before is worked through."""
        loaded = self.plan(**changes)
        again = any(s.migration == loaded.plan.migration for s in self.ledger.migrations())
        if again:
            work_through(self.context, loaded.plan.migration)
        case = start(self.context, loaded, actor="carl")
        if not again:
            drain(self.context)  # the runbook is written
        return case

    @property
    def case(self) -> Case:
        """The migration now."""
        return self.context.open("demo")

    def step(self) -> Outcome:
        """One advance."""
        return take_step(self.context, "demo", actor="test")

    def wait(self, hours: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(hours=hours))

    def block(self, metric: str, system: str, n: int, bad: int = 0, value: float = 0.0) -> Block:
        """A block of the last minute, or of now in a stage that has just begun."""
        sketch = {bucket_of(value): n} if value else {}
        at = max(self.case.state.entered_at, self.context.timestamp - 60)
        return Block(f"b{next(self._ids)}", "demo", metric, system, at, 60, n, bad,
                     value * n, value * value * n, sketch)  # fmt: skip

    def traffic(self, n: int = 2000, bad: int = 0, latency: float = 0.05) -> None:
        """Ship one look of candidate traffic and collect it."""
        for block in (
            self.block("success_rate", "legacy", n),
            self.block("success_rate", "candidate", n, bad),
            self.block("prediction_latency_p99", "legacy", n, value=0.05),
            self.block("prediction_latency_p99", "candidate", n, value=latency),
        ):
            self.stream.add(block)
        collect(self.context, "demo")

    def work(self, ok: bool = True) -> None:
        """Record the checks."""
        record_work(self.context, "demo", "checks", [CheckResult("up", ok, "x", 0.1)], actor="t")

    def data(self, ok: bool = True) -> None:
        """Record the data suites."""
        record_data(self.context, "demo", [CheckResult("rows", ok, "x", 0.1)], actor="t")

    def to_canary(self) -> None:
        """Walk to the first canary stage."""
        self.work()
        assert self.step().action == "enter"
        self.wait(1.1)
        self.traffic()
        assert self.step().action == "enter"
        assert self.case.state.split == 1000

    def to_approval(self) -> str:
        """Walk to the approval before 100 %; gives its id."""
        self.to_canary()
        self.wait(1.1)
        self.traffic()
        assert self.step().action == "ask"
        approval = self.case.state.approval
        assert approval is not None
        return approval.id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh world; nothing is left behind."""
    return World(tmp_path)

"""Drive a migration as its people would: run what is due, approve, watch."""

from __future__ import annotations

import time
from typing import Any

from examples.mood.demo.narrator import Narrator
from switchover.engine.assess import assess, due
from switchover.engine.collect import collect
from switchover.engine.context import Context
from switchover.errors import SwitchoverError
from switchover.launcher.prefect_api import PrefectLauncher
from switchover.machine.action import Wait
from switchover.machine.state import TERMINAL, Phase, State

APPROVER = "ada.meyer"
#: Failing checks are tried again so often before the demonstration gives up.
PATIENCE = 5


class Driver:
    """One migration under way."""

    def __init__(
        self, context: Context, launcher: PrefectLauncher, narrator: Narrator, migration: str
    ) -> None:
        self._context = context
        self._launcher = launcher
        self._narrator = narrator
        self._migration = migration
        self._runs = 0
        self._failures = 0

    @property
    def state(self) -> State:
        """Where the migration stands."""
        return self._context.ledger.read(self._migration).state

    def to_stage(self, kind: str, deadline: float) -> State:
        """Go on until a stage of ``kind`` has begun."""
        while self._context.open(self._migration).stage.kind != kind:
            self._move(deadline)
        return self.state

    def to_the_end(self, deadline: float) -> State:
        """Go on until the migration has ended."""
        while self.state.phase not in TERMINAL:
            self._move(deadline)
        return self.state

    def until_rolled_back(self, deadline: float) -> State:
        """Let `monitor` look, more often than its schedule, until it has rolled back."""
        while self.state.phase is not Phase.ROLLED_BACK:
            self._narrator.busy("monitor looks at the evidence")
            self._run("monitor/monitor", {}, deadline)
        return self.state

    def _move(self, deadline: float) -> None:
        """Do the one thing that is due, or wait for what it waits for."""
        if time.monotonic() > deadline:
            raise SwitchoverError(f"{self._migration} did not get on: {self._why()}")
        collect(self._context, self._migration)
        case = self._context.open(self._migration)
        action = due(case)
        if isinstance(action, Wait) and action.code == "approval":
            self._approve(deadline)
        elif isinstance(action, Wait):
            self._narrator.busy(f"{case.stage.title}: {action.reason}"[:200])
            time.sleep(0.25)
        else:
            before = case.state
            reading = assess(case)
            self._narrator.busy(f"{case.stage.title}: the advance flow runs")
            parameters = {"migration": self._migration, "actor": "demo"}
            self._run("advance/advance", parameters, deadline)
            self._tell(before, case.stage.title, reading)

    def _approve(self, deadline: float) -> None:
        """Resume the suspended run as the Prefect UI does, with the form filled in."""
        approval = self.state.approval
        if approval is None:
            return
        self._narrator.busy("the approve run starts and suspends")
        for run, parameters in self._launcher.waiting("approve/approve"):
            if parameters.get("approval") != approval.id:
                continue
            self._narrator.say(
                f"approval {approval.id}: {APPROVER} resumes the suspended run with the form",
                approval=approval.id,
            )
            before, title = self.state, self._context.open(self._migration).stage.title
            reading = assess(self._context.open(self._migration))
            form = {"decision": "approve", "approver": APPROVER, "reason": "the evidence is good"}
            self._launcher.resume(run, form)
            self._wait(run, deadline)
            self._tell(before, title, reading)
            return
        time.sleep(0.25)

    def _run(self, deployment: str, parameters: dict[str, Any], deadline: float) -> None:
        self._runs += 1
        key = f"demo:{self._migration}:{deployment}:{self._runs}:{time.time_ns()}"
        self._wait(self._launcher.start(deployment, parameters, key), deadline)

    def _wait(self, run: str, deadline: float) -> None:
        left = max(0.0, deadline - time.monotonic())
        kind, name, message = self._launcher.wait(run, left, interval=0.1)
        if kind != "COMPLETED":
            raise SwitchoverError(f"flow run {run} ended {name}: {message}")

    def _tell(self, before: State, title: str, reading: Any) -> None:
        after = self.state
        if after.revision == before.revision:
            return
        if after.stage == before.stage and after.work is not None and not after.work.ok:
            self._failures += 1
            self._narrator.say(after.work.summary)
            if self._failures == PATIENCE:
                raise SwitchoverError(f"{title} failed {PATIENCE} times: {after.work.summary}")
        if reading is not None and after.stage != before.stage:
            self._narrator.evidence(title, reading.to_dict())
        case = self._context.open(self._migration)
        if after.stage != before.stage:
            self._narrator.say(
                f"[bold]{title} → {case.stage.title}[/bold]: mode {after.mode}, "
                f"the candidate serves {after.split / 100:g} %",
                stage=case.stage.title, split=after.split / 100, mode=after.mode,
            )  # fmt: skip
        elif after.phase is Phase.AWAITING_APPROVAL:
            self._narrator.say("a person is asked: the approve run suspends until somebody answers")

    def _why(self) -> str:
        return due(self._context.open(self._migration)).reason

"""The demonstration from beginning to end; exit code 0 when everything held."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.mood.demo.drive import Driver
from examples.mood.demo.narrator import Narrator
from examples.mood.demo.services import Service, Traffic, train, trained, two_ports
from switchover.engine.context import Context
from switchover.engine.drain import drain
from switchover.engine.start import start
from switchover.errors import SwitchoverError
from switchover.launcher.prefect_api import PrefectLauncher
from switchover.ledger import verify
from switchover.ledger.repository import SqlLedger
from switchover.machine.state import Phase
from switchover.plan.load import load_plan
from switchover.testing.embedded.stack import Stack
from switchover.wiring import build_context, build_ledger, load_settings, open_launcher

#: Requests a second that the traffic generator sends.
RATE = 100
#: Seconds that each of the two migrations may take: usually forty, far more on a busy machine.
LIMIT = 420.0


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    root: Path
    state: Path
    data: Path | None
    fault: str


def run(options: Options, narrator: Narrator) -> bool:
    """Run both migrations; True when the first completed, the second rolled back, the ledger
    verified and no caller saw a failure."""
    state = options.state
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    database = f"sqlite:///{state / 'models' / 'candidate.sqlite'}"
    stack = Stack(
        state / "stack", options.root, limit=3,
        worker_env={
            "SWITCHOVER_EXAMPLE_MOOD_DATABASE": database,
            "SWITCHOVER_INCIDENTS_DIR": str(state / "incidents"),
        },
    )  # fmt: skip
    services: list[Service] = []
    training = train(options.root, state / "models", options.data)
    try:
        narrator.headline("Setting the stage")
        stack.launch(lambda sentence: narrator.say(sentence))
        figures = trained(training)
        narrator.say("trained both models", models=figures)
        ports = two_ports()
        services = [
            Service(options.root, state, system, port).start()
            for system, port in zip(("legacy", "candidate"), ports, strict=True)
        ]
        narrator.say(f"legacy answers at {services[0].url}, candidate at {services[1].url}")
        stack.finish(lambda sentence: narrator.say(sentence))
        env = {**os.environ, **stack.env, "SWITCHOVER_INCIDENTS_DIR": str(state / "incidents")}
        settings = load_settings(env)
        scene = _Scene(options, narrator, build_context(settings), build_ledger(settings),
                       open_launcher(settings), env)  # fmt: skip
        good = scene.good(services)
        services.pop().stop()
        services.append(
            Service(options.root, state, "candidate", ports[1], "--fault", options.fault,
                    "--fault-when", "served").start()
        )  # fmt: skip
        bad = scene.bad(services)
        return _summary(narrator, scene, good, bad)
    finally:
        narrator.quiet()
        if training.poll() is None:
            training.kill()
        for service in services:
            service.stop()
        stack.stop()


@dataclass
class _Scene:
    options: Options
    narrator: Narrator
    context: Context
    ledger: SqlLedger
    launcher: PrefectLauncher
    env: dict[str, str]

    def good(self, services: list[Service]) -> dict[str, Any]:
        """From 0 to 100 %."""
        self.narrator.headline("A good candidate goes from 0 to 100 %")
        driver, traffic = self._begin("mood", services)
        try:
            state = driver.to_the_end(time.monotonic() + LIMIT)
        finally:
            report = traffic.stop()
        return {"migration": "mood", "phase": state.phase, "split": state.split / 100, **report}

    def bad(self, services: list[Service]) -> dict[str, Any]:
        """The same again, with a candidate that fails once it serves."""
        self.narrator.headline(f"A bad candidate ({self.options.fault}) is rolled back by itself")
        driver, traffic = self._begin("mood-again", services)
        try:
            deadline = time.monotonic() + LIMIT
            entered = driver.to_stage("canary", deadline).entered_at
            state = driver.until_rolled_back(deadline)
            drain(self.context)
        finally:
            report = traffic.stop()
        entries = {entry.kind: entry for entry in self.context.ledger.entries("mood-again")}
        rolled_back, measured = entries["rolled_back"], entries["rollback_measured"]
        self.narrator.evidence("canary 10 %", rolled_back.payload["reading"])
        reports = [
            row["result"]["file"]
            for row in self.context.ledger.effects("mood-again")
            if row["kind"] == "incident_report" and row["status"] == "done"
        ]
        return {
            "migration": "mood-again", "phase": state.phase, "reason": state.reason,
            "detected_after": rolled_back.payload["at"] - entered,
            "rollback_seconds": measured.payload["seconds"],
            "routers": measured.payload["routers"],
            "incident": reports[-1] if reports else None, **report,
        }  # fmt: skip

    def _begin(self, migration: str, services: list[Service]) -> tuple[Driver, Traffic]:
        overlay = self.options.state / f"{migration}.yaml"
        overlay.write_text(
            f"migration: {migration}\n"
            f"systems:\n"
            f'  legacy: {{url: "{services[0].url}"}}\n'
            f'  candidate: {{url: "{services[1].url}"}}\n'
        )
        example = self.options.root / "examples" / "mood"
        loaded = load_plan(example / "plan.yaml", (example / "demo.yaml", overlay))
        start(self.context, loaded, actor="demo")
        self.narrator.say(f"started {migration}: {loaded.plan.title}")
        traffic = Traffic(
            self.options.root, self.options.state, migration, services[0].url, services[1].url,
            self.env, rate=RATE, data=self.options.data,
        )  # fmt: skip
        self.narrator.say(f"the clinic sends {RATE} requests a second through its router")
        return Driver(self.context, self.launcher, self.narrator, migration), traffic


def _summary(narrator: Narrator, scene: _Scene, good: dict[str, Any], bad: dict[str, Any]) -> bool:
    narrator.headline("What happened")
    faults = verify(scene.ledger)
    held = {
        "the good candidate serves 100 %": good["phase"] is Phase.COMPLETE,
        "the bad candidate was rolled back": bad["phase"] is Phase.ROLLED_BACK,
        "every router turned in under a second": bad["rollback_seconds"] < 1.0,
        "no caller saw a failure": good["failed"] + bad["failed"] == 0,
        "the ledger's chain verifies": not faults,
        "the incident is written": bad["incident"] is not None,
    }
    narrator.table(
        "figures",
        [
            ("requests", good["requests"] + bad["requests"]),
            ("failed", good["failed"] + bad["failed"]),
            ("served by the candidate", _served(good) + _served(bad)),
            ("bad candidate found after", f"{bad['detected_after']:.1f} s in canary 10 %"),
            ("rollback, decision to last router", f"{bad['rollback_seconds'] * 1000:.0f} ms"),
            ("incident file", bad["incident"]),
            ("ledger", "; ".join(faults) or "verified"),
        ],
    )
    for sentence, true in held.items():
        narrator.say(("[green]yes[/green] " if true else "[red]NO[/red]  ") + sentence, held=true)
    return all(held.values())


def _served(report: dict[str, Any]) -> int:
    served = report.get("served", {})
    if "candidate" not in served:
        raise SwitchoverError("the traffic report does not say who served")
    return int(served["candidate"])

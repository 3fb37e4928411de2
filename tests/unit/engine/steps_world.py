"""The engine in memory with steps of a rollback whose actions and probes are the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from switchover.engine.roll_back import roll_back
from switchover.engine.roll_back_levels import roll_back_component
from switchover.engine.rollback_standing import StepsOutcome
from switchover.engine.rollback_steps import carry_out
from switchover.plan.rollback_steps import Command, Outside
from switchover.ports import CheckResult
from switchover.testing.probes import ScriptedProbes


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the engine catches it."""


@dataclass
class Actions:
    """Implements ``ActionRunner``: an action succeeds, unless ``answers`` has something else for
    its program. ``done`` keeps name and key of each, in the order in which they began."""

    answers: dict[str, Callable[[], bool]] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)

    def run(
        self, action: Outside, *, name: str, key: str, limit: float, directory: str
    ) -> CheckResult:
        """The test's answer."""
        assert isinstance(action, Command)
        self.done.append((name, key))
        ok = self.answers.get(action.argv[0], lambda: True)()
        return CheckResult(name, ok, "it worked" if ok else "exit code 1", 0.0)

    @property
    def names(self) -> list[str]:
        """The steps that were begun, in order."""
        return [name for name, _ in self.done]


def step(name: str, **more: Any) -> dict[str, Any]:
    """A step that runs a program of its own name."""
    return {"name": name, "method": "code", "action": {"kind": "command", "argv": [name]}, **more}


class Steps:
    """The world with actions and probes, and a plan with steps."""

    def __init__(self, world: Any) -> None:
        self.world, self.actions, self.probes = world, Actions(), ScriptedProbes()
        world.context = replace(world.context, actions=self.actions, probes=self.probes)

    def start(self, levels: dict[str, Any], **more: Any) -> None:
        """Start with these levels, and walk to the first canary."""
        flags = [{"name": "panel", "component": "panel"}, {"name": "core", "component": "core"}]
        self.world.start(rollback={"levels": levels}, flags=flags, **more)
        self.world.to_canary()

    def back(self) -> str:
        """Roll back by hand; gives the incident."""
        outcome = roll_back(self.world.context, "demo", actor="bo", trigger="person", reason="bad")
        return outcome.incident

    def component(self, name: str = "panel") -> str:
        """Roll one component back; gives the incident."""
        context = self.world.context
        return roll_back_component(context, "demo", name, actor="bo", reason="bad").incident

    def go(self, incident: str) -> StepsOutcome:
        """Take what is left."""
        return carry_out(self.world.context, "demo", incident, actor="t")

    def ended(self) -> list[tuple[str, str]]:
        """Step and outcome of every end on record."""
        return [
            (entry.payload["step"], entry.payload["outcome"])
            for entry in self.world.ledger.entries("demo")
            if entry.kind == "rollback_step_done"
        ]

    def kinds(self) -> list[str]:
        """The kinds of all entries."""
        return [entry.kind for entry in self.world.ledger.entries("demo")]

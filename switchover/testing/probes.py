"""Probes in memory: the answers are the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from switchover.plan.probes import Probe
from switchover.plan.spec import Plan
from switchover.ports import CheckResult

#: An attempt's answer; a bool is a bare result.
Answer = bool | CheckResult | Callable[[], bool | CheckResult]


@dataclass
class ScriptedProbes:
    """Implements ``ProbeRunner``: a probe passes, unless ``answers`` holds another answer under
    its name; a list is used up in turn and its last answer stays. ``asked`` keeps every name."""

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def run(
        self, probe: Probe, plan: Plan, directory: str, *, since: float | None = None
    ) -> CheckResult:
        """The next answer for this probe; one that is a function is called, and may raise."""
        self.asked.append(probe.name)
        found = self.answers.get(probe.name, True)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found()
        if isinstance(found, CheckResult):
            return found
        return CheckResult(probe.name, found, "as expected" if found else "not as expected", 0.0)

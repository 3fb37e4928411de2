"""Checks of systems, adapters and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchover.plan.spec import Check, Consumer, DataCheck, Plan


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. ``detail`` holds its numbers."""

    name: str
    ok: bool
    summary: str
    seconds: float
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "summary": self.summary,
                "seconds": round(self.seconds, 4), "detail": dict(self.detail)}  # fmt: skip


class CheckRunner(Protocol):
    """Runs one development-phase check; a failing system is a result, not an error."""

    def run(self, check: Check, plan: Plan, directory: str) -> CheckResult: ...


class AdapterValidator(Protocol):
    """Runs one consumer's adapter over recorded candidate output (P4)."""

    def validate(self, consumer: Consumer, directory: str) -> CheckResult: ...


class DataChecker(Protocol):
    """Runs one data-integrity suite (C4)."""

    def check(self, check: DataCheck) -> CheckResult: ...

"""Checks of systems, adapters and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from switchover.plan.probes import Probe
from switchover.plan.rollback_steps import Outside
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


class ProbeRunner(Protocol):
    """Asks one probe's question, once; a wrong or a missing answer is a result, not an error."""

    def run(
        self, probe: Probe, plan: Plan, directory: str, *, since: float | None = None
    ) -> CheckResult:
        """What came back, with its evidence. ``since`` (seconds since the Unix epoch) is when the
        rollback was, for probes that look back to it. Raises ``InputError`` where the plan or
        the worker's environment is wrong, ``Refused`` for a program that is not allowed."""


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """The bytes ``[begin, end)`` of a file of recordings: whole lines, the first of them numbered
    ``line``. ``size`` and ``changed_ns`` are the file's, so that a change under way is noticed."""

    path: str
    begin: int
    end: int
    line: int
    size: int
    changed_ns: int


class ActionRunner(Protocol):
    """Does what a rollback's step does outside."""

    def run(
        self, action: Outside, *, name: str, key: str, limit: float, directory: str
    ) -> CheckResult:
        """Do it within ``limit`` seconds; a failure of any kind is a result. ``key`` is the same
        whenever the same step of the same rollback is sent again."""


class AdapterValidator(Protocol):
    """Runs one consumer's adapter over recorded candidate output (P4).

    Large recordings are validated in parts, in any order and in any process: ``conclude`` gives
    the same for any way of parting them. All raise ``InputError`` where the adapter, its contract
    or the recordings can't be loaded.
    """

    def parts(self, consumer: Consumer, directory: str) -> list[RecordedPart]:
        """Where the recordings are to be parted; no part where there are none."""

    def examine(self, consumer: Consumer, directory: str, part: RecordedPart) -> dict[str, Any]:
        """What one part shows, as plain JSON."""

    def conclude(
        self, consumer: Consumer, directory: str, found: Sequence[Mapping[str, Any]], seconds: float
    ) -> CheckResult:
        """The result, from what the parts showed, in their order. A broken contract is a result."""


class DataChecker(Protocol):
    """Runs one data-integrity suite (C4)."""

    def check(self, check: DataCheck) -> CheckResult: ...

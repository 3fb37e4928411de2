"""Checks of systems, adapters and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

"""Adapters whose imports take long, built when first asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchover.plan.probes import Probe
from switchover.plan.rollback_steps import Outside
from switchover.plan.spec import Check, Consumer, DataCheck, Plan
from switchover.plan.work_items import ItemTable
from switchover.ports import CheckResult, ItemStore, Ledger, MetricSource, RecordedPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from switchover.contracts.validate import RecordedAdapterValidator


class LazyChecks:
    """Check runner over HTTP and commands."""

    def __init__(self, allow_commands: frozenset[str]) -> None:
        self._allow = allow_commands

    def run(self, check: Check, plan: Plan, directory: str) -> CheckResult:
        """Run one check; see :class:`switchover.checks.runner.HttpCheckRunner`."""
        from switchover.checks.runner import HttpCheckRunner

        return HttpCheckRunner(self._allow).run(check, plan, directory)


class LazyProbes:
    """Probes over HTTP, SQL, the recorded metrics and commands."""

    def __init__(self, allow_commands: frozenset[str], ledger: Ledger) -> None:
        self._allow, self._ledger = allow_commands, ledger

    def run(
        self, probe: Probe, plan: Plan, directory: str, *, since: float | None = None
    ) -> CheckResult:
        """Ask once; see :class:`switchover.checks.probe.SystemProbes`."""
        from switchover.checks.probe import SystemProbes

        real = SystemProbes(self._ledger.blocks, os.environ, self._allow)
        return real.run(probe, plan, directory, since=since)


class LazyActions:
    """Steps of a rollback over HTTP and by commands."""

    def __init__(self, allow_commands: frozenset[str]) -> None:
        self._allow = allow_commands

    def run(
        self, action: Outside, *, name: str, key: str, limit: float, directory: str
    ) -> CheckResult:
        """Do it; see :class:`switchover.checks.action.OutsideActions`."""
        from switchover.checks.action import OutsideActions

        real = OutsideActions(os.environ, self._allow)
        return real.run(action, name=name, key=key, limit=limit, directory=directory)


class LazyAdapters:
    """Adapter validation; see :class:`switchover.contracts.validate.RecordedAdapterValidator`."""

    def parts(self, consumer: Consumer, directory: str) -> list[RecordedPart]:
        """Where the recordings are parted."""
        return self._real().parts(consumer, directory)

    def examine(self, consumer: Consumer, directory: str, part: RecordedPart) -> dict[str, Any]:
        """What one part shows."""
        return self._real().examine(consumer, directory, part)

    def conclude(
        self, consumer: Consumer, directory: str, found: Sequence[Mapping[str, Any]], seconds: float
    ) -> CheckResult:
        """The result."""
        return self._real().conclude(consumer, directory, found, seconds)

    def _real(self) -> RecordedAdapterValidator:
        from switchover.contracts.validate import RecordedAdapterValidator

        return RecordedAdapterValidator()


class LazyData:
    """Data suites by Great Expectations, which takes seconds to import."""

    def check(self, check: DataCheck) -> CheckResult:
        """Check; see :class:`switchover.integrity.expectations.GreatExpectationsChecker`."""
        from switchover.integrity.expectations import GreatExpectationsChecker

        return GreatExpectationsChecker().check(check)


def open_items(table: ItemTable, side: str) -> ItemStore:
    """Work items in SQL; see :class:`switchover.integrity.items.SqlItemStore`."""
    from switchover.integrity.items import SqlItemStore

    return SqlItemStore(table, side)


def sources(plan: Plan) -> Sequence[MetricSource]:
    """What a plan reads besides the recorder; see :mod:`switchover.observe.sources`."""
    if not plan.sources:
        return ()
    from contextlib import contextmanager

    from switchover.integrity.database import address, limited, reaching
    from switchover.observe.sources import open_sources

    @contextmanager
    def connect(database: str, what: str) -> Iterator[Connection]:
        url = limited(address(database, os.environ, what), what, "")
        with reaching(what, url) as connection:
            yield connection

    return open_sources(plan, os.environ, connect)

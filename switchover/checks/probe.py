"""Runs probes: one question, one file per kind of it, and a result whatever happens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import assert_never

from switchover.checks.command import check_command
from switchover.checks.exchange import Transport
from switchover.checks.outcome import Outcome
from switchover.checks.probe_http import probe_http
from switchover.checks.probe_metric import Blocks, probe_metric
from switchover.checks.probe_sql import probe_sql
from switchover.clock import Clock, SystemClock
from switchover.plan.probes import CommandProbe, HttpProbe, MetricProbe, Probe, SqlProbe
from switchover.plan.spec import CommandCheck, Plan
from switchover.ports import CheckResult


class SystemProbes:
    """Asks the real systems; implements ``ProbeRunner``.

    ``blocks`` gives what was recorded of a migration in a time, ``environ`` holds the variables
    that plans name, ``allow_commands`` are the programs that the operator lets plans run;
    ``transport`` replaces the network.
    """

    def __init__(
        self,
        blocks: Blocks,
        environ: Mapping[str, str],
        allow_commands: frozenset[str] = frozenset(),
        transport: Transport = None,
        clock: Clock | None = None,
    ) -> None:
        self._blocks, self._environ, self._allowed = blocks, environ, allow_commands
        self._transport, self._clock = transport, clock or SystemClock()

    def run(
        self, probe: Probe, plan: Plan, directory: str, *, since: float | None = None
    ) -> CheckResult:
        """Ask once; see :class:`switchover.ports.ProbeRunner`."""
        began = time.perf_counter()
        outcome = self._outcome(probe, plan, directory, since)
        seconds = time.perf_counter() - began
        detail = {"kind": probe.kind, **outcome.detail}
        return CheckResult(probe.name, outcome.ok, outcome.summary, seconds, detail)

    def _outcome(self, probe: Probe, plan: Plan, directory: str, since: float | None) -> Outcome:
        if isinstance(probe, HttpProbe):
            return probe_http(probe, plan, directory, self._environ, self._transport)
        if isinstance(probe, SqlProbe):
            return probe_sql(probe, self._environ)
        if isinstance(probe, MetricProbe):
            now = self._clock.now().timestamp()
            return probe_metric(probe, plan.migration, self._blocks, since, now)
        if isinstance(probe, CommandProbe):
            check = CommandCheck(
                kind="command", name=probe.name, argv=probe.argv, timeout=probe.timeout
            )
            return check_command(check, directory, self._allowed)
        assert_never(probe)

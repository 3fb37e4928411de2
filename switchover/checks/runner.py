"""Runs the development-phase checks (P1): one file per kind, and a result whatever happens."""

from __future__ import annotations

import time
from typing import assert_never

from switchover.checks.command import check_command
from switchover.checks.contract import check_contract
from switchover.checks.exchange import Transport
from switchover.checks.health import check_health
from switchover.checks.latency import check_latency
from switchover.checks.outcome import Outcome
from switchover.plan.spec import (
    Check,
    CommandCheck,
    ContractCheck,
    HealthCheck,
    LatencyCheck,
    Plan,
)
from switchover.ports import CheckResult


class HttpCheckRunner:
    """Runs checks against the real systems; implements ``CheckRunner``.

    ``allow_commands`` are the programs that the operator lets plans run; ``transport``
    replaces the network.
    """

    def __init__(
        self, allow_commands: frozenset[str] = frozenset(), transport: Transport = None
    ) -> None:
        self._allowed = allow_commands
        self._transport = transport

    def run(self, check: Check, plan: Plan, directory: str) -> CheckResult:
        """Run one check of ``plan``, whose relative files lie in ``directory``.

        A failing system is a result. Raises ``InputError`` when a file that the plan names is
        missing or bad, ``Refused`` for a command that the operator has not allowed.
        """
        began = time.perf_counter()
        outcome = self._outcome(check, plan, directory)
        seconds = time.perf_counter() - began
        return CheckResult(check.name, outcome.ok, outcome.summary, seconds, outcome.detail)

    def _outcome(self, check: Check, plan: Plan, directory: str) -> Outcome:
        system = plan.systems.legacy if check.system == "legacy" else plan.systems.candidate
        if isinstance(check, HealthCheck):
            return check_health(check, system, self._transport)
        if isinstance(check, LatencyCheck):
            return check_latency(check, system, directory, self._transport)
        if isinstance(check, ContractCheck):
            return check_contract(check, system, directory, self._transport)
        if isinstance(check, CommandCheck):
            return check_command(check, directory, self._allowed)
        assert_never(check)

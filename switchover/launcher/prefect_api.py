"""The `Launcher` port over Prefect's REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from switchover.errors import DependencyUnavailable, InputError, Refused
from switchover.launcher.session import PrefectSession, UnknownToPrefect

if TYPE_CHECKING:
    import httpx

#: State types that a run never leaves by itself.
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_PAGE = 200

#: (state type, state name, message) of a run, like ("PAUSED", "Suspended", "").
RunState = tuple[str, str, str]


class PrefectLauncher:
    """Starts, resumes and follows flow runs of deployments named ``flow/deployment``.

    ``auth`` is the server's credential (``user:password``), if it has one; ``transport``
    replaces the network in tests. Every method raises
    ``DependencyUnavailable`` when Prefect can't be reached, after a few tries, and
    ``InputError`` for names, values and credentials that it does not take.
    """

    def __init__(
        self,
        api_url: str,
        auth: str | None = None,
        *,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._session = PrefectSession(api_url, auth, timeout, transport)

    def check(self, deployment: str) -> None:
        """Return if the server answers, takes our credential and knows the deployment."""
        # Not its `/health`, which it answers without asking its database or who we are.
        self._deployment_id(deployment)

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str:
        """Start a run once per ``key``; returns the run's id, the same one for the same key."""
        answer = self._session.post(
            f"/deployments/{self._deployment_id(deployment)}/create_flow_run",
            {"parameters": dict(parameters), "idempotency_key": key},
            what=f"a run of {deployment}",
        )
        return str(answer["id"])

    def resume(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Resume a suspended run with typed input.

        Raises ``InputError`` with Prefect's reason for values that its form refuses, the run
        stays suspended then; ``Refused`` for a run that is not suspended (any more).
        """
        answer = self._session.post(
            f"/flow_runs/{quote(run_id, safe='')}/resume",
            {"run_input": dict(values)},
            what=f"run {run_id}",
        )
        status = str(answer.get("status"))
        reason = str((answer.get("details") or {}).get("reason") or "it gave no reason")
        if status == "REJECT":
            raise InputError(f"Prefect did not take the input of run {run_id}: {reason}")
        if status == "ABORT":
            raise Refused(
                f"run {run_id} can't be resumed: {reason} It may have been resumed or ended "
                "already; look at it again"
            )
        if status != "ACCEPT":
            raise DependencyUnavailable("Prefect", f"resuming run {run_id} gave {status}: {reason}")

    def waiting(self, deployment: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Suspended runs of a deployment with their parameters, oldest first."""
        criteria = {
            "deployments": {"id": {"any_": [self._deployment_id(deployment)]}},
            "flow_runs": {
                "state": {"type": {"any_": ["PAUSED"]}, "name": {"any_": ["Suspended"]}},
            },
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": _PAGE,
        }
        runs: list[dict[str, Any]] = []
        while True:
            page = self._session.post(
                "/flow_runs/filter", {**criteria, "offset": len(runs)}, what="the suspended runs"
            )
            runs += page
            if len(page) < _PAGE:
                return [(str(run["id"]), run.get("parameters") or {}) for run in runs]

    def forget_input(self, run_id: str) -> int:
        """Delete what a run was resumed with, as it may hold secrets; gives how many answers
        there were. A run that still has to read its answer can't go on afterwards."""
        place = f"/flow_runs/{quote(run_id, safe='')}/input"
        what = f"the input of run {run_id}"
        inputs = self._session.post(
            f"{place}/filter", {"prefix": "suspended-", "limit": _PAGE}, what=what
        )
        answers = [each["key"] for each in inputs if each["key"].endswith("-response")]
        for key in answers:
            with suppress(UnknownToPrefect):  # the run itself was faster
                self._session.delete(f"{place}/{quote(key, safe='')}", what=what)
        return len(answers)

    def state(self, run_id: str) -> RunState:
        """Where a run stands now."""
        answer = self._session.get(
            f"/flow_runs/{quote(run_id, safe='')}", what=f"the flow run {run_id}"
        )
        state = answer.get("state") or {}
        return (
            str(state.get("type") or answer.get("state_type") or ""),
            str(state.get("name") or answer.get("state_name") or ""),
            str(state.get("message") or ""),
        )

    def wait(
        self,
        run_id: str,
        timeout: float,
        on_state: Callable[[RunState], None] | None = None,
        *,
        interval: float = 0.5,
    ) -> RunState:
        """Wait until a run has ended, well or not; ``on_state`` hears of every new state.

        An outage of Prefect is waited out. Raises ``DependencyUnavailable`` when ``timeout``
        seconds are over.
        """
        deadline = monotonic() + timeout
        seen: RunState | None = None
        outage: DependencyUnavailable | None = None
        while True:
            try:
                state, outage = self.state(run_id), None
            except DependencyUnavailable as error:
                outage = error
            else:
                if state != seen:
                    seen = state
                    if on_state is not None:
                        on_state(state)
                if state[0] in FINAL:
                    return state
            if monotonic() >= deadline:
                break
            sleep(min(interval, max(0.0, deadline - monotonic())))
        if outage is not None:
            raise outage
        name = seen[1] if seen else "unknown"
        raise DependencyUnavailable(
            "Prefect",
            f"run {run_id} is still {name} after {timeout:g} s; check that a worker is running",
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _deployment_id(self, deployment: str) -> str:
        # Asked anew each time: a deployment that was deleted and deployed again has another id.
        flow, slash, name = deployment.partition("/")
        if not (flow and slash and name):
            raise InputError(f"{deployment!r} is no deployment; write it as flow/deployment")
        answer = self._session.get(
            f"/deployments/name/{quote(flow, safe='')}/{quote(name, safe='')}",
            what=f"the deployment {deployment}",
        )
        return str(answer["id"])

"""Handlers of the outbox's effects. Each may run again after a crash and must not do harm then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchover.engine.context import Handler
from switchover.errors import DependencyUnavailable
from switchover.ports import Effect, Ledger
from switchover.wiring.settings import Settings


def handlers(settings: Settings, ledger: Ledger) -> Mapping[str, Handler]:
    """Effect kind -> how it is done."""
    work = _Work(settings, ledger)
    return {
        "start_flow": work.start_flow,
        "end_approval": work.end_approval,
        "incident_report": work.incident_report,
        "page": work.page,
        "slack": work.slack,
    }


class _Work:
    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    def start_flow(self, effect: Effect) -> dict[str, Any]:
        """Start a flow run once: the effect's key is the run's idempotency key."""
        payload = effect.payload
        run = self._launcher().start(payload["deployment"], payload["parameters"], effect.key)
        return {"run": run}

    def end_approval(self, effect: Effect) -> dict[str, Any]:
        """Let the waiting run end. It asks the ledger first, so its input is never used."""
        migration, approval = effect.payload["migration"], effect.payload["approval"]
        run = next(
            (
                row["result"]["run"]
                for row in self._ledger.effects(migration)
                if row["key"] == f"{approval}:run" and row["status"] == "done"
            ),
            None,
        )
        if run is None:
            return {"ended": None}
        launcher = self._launcher()
        kind, name, _ = launcher.state(run)
        if kind == "PAUSED":
            note = {"decision": "reject", "approver": "switchover", "reason": "settled elsewhere"}
            launcher.resume(run, note)
        elif kind in ("SCHEDULED", "PENDING", "RUNNING"):
            raise DependencyUnavailable("Prefect", f"the approve run is still {name}")
        return {"ended": run}

    def incident_report(self, effect: Effect) -> dict[str, Any]:
        """Render the incident's Markdown file again; people's own sections are kept."""
        from switchover.incidents.report import write_report

        path = write_report(self._settings.incidents_dir, self._incident(effect))
        return {"file": str(path)}

    def page(self, effect: Effect) -> dict[str, Any]:
        """Tell the channel about the incident."""
        from switchover.incidents.slack_blocks import rollback_blocks

        incident = self._incident(effect)
        return self._post(effect, f"Rolled back: {incident.title}", rollback_blocks(incident))

    def slack(self, effect: Effect) -> dict[str, Any]:
        """Post a plain notice."""
        return self._post(effect, effect.payload["text"], ())

    def _post(self, effect: Effect, text: str, blocks: Any) -> dict[str, Any]:
        if not self._settings.slack_token:
            return {"skipped": "SWITCHOVER_SLACK_TOKEN is not set"}
        from switchover.incidents.slack import SlackPager

        pager = SlackPager(self._settings.slack_token, self._settings.slack_api_url or None)
        thread = pager.post(effect.key, effect.payload["channel"], text, blocks)
        return {"thread": thread}

    def _incident(self, effect: Effect) -> Any:
        from switchover.incidents.record import incident_of

        migration = effect.payload["migration"]
        return incident_of(
            self._ledger.entries(migration),
            self._ledger.read(migration).plan.document,
            effect.payload["incident"],
        )

    def _launcher(self) -> Any:
        from switchover.wiring.build import build_launcher

        return build_launcher(self._settings)

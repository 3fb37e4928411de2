"""Handlers of the outbox's effects. Each may run again after a crash and must not do harm then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from switchover.engine.context import Handler
from switchover.errors import DependencyUnavailable
from switchover.plan.load import restore_plan
from switchover.plan.stages import compile_stages
from switchover.ports import Effect, Ledger
from switchover.wiring.settings import Settings

if TYPE_CHECKING:
    from switchover.incidents.record import Incident
    from switchover.launcher.prefect_api import PrefectLauncher


def handlers(settings: Settings, ledger: Ledger) -> Mapping[str, Handler]:
    """Effect kind -> how it is done."""
    runs, messages = _Runs(settings, ledger), _Messages(settings, ledger)
    return {
        "start_flow": runs.start_flow,
        "end_approval": runs.end_approval,
        "incident_report": messages.incident_report,
        "page": messages.page,
        "page_update": messages.page_update,
        "ask_people": messages.ask_people,
        "notice": messages.notice,
    }


def open_launcher(settings: Settings) -> PrefectLauncher:
    """The client that starts flow runs by deployment name; it is the caller's to close."""
    from switchover.launcher.prefect_api import PrefectLauncher

    return PrefectLauncher(settings.prefect_api_url, settings.prefect_auth or None)


def _result(ledger: Ledger, migration: str, key: str) -> dict[str, Any]:
    """What another effect of the migration left behind; empty until it is done."""
    row = _row(ledger, migration, key)
    return dict(row["result"] or {}) if row is not None and row["status"] == "done" else {}


def _row(ledger: Ledger, migration: str, key: str) -> dict[str, Any] | None:
    """Another effect of the migration, as the ledger lists it."""
    return next((row for row in ledger.effects(migration) if row["key"] == key), None)


class _Runs:
    """Effects on Prefect."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    def start_flow(self, effect: Effect) -> dict[str, Any]:
        """Start a flow run once: the effect's key is the run's idempotency key."""
        payload = effect.payload
        with closing(self._launcher()) as launcher:
            run = launcher.start(payload["deployment"], payload["parameters"], effect.key)
        return {"run": run}

    def end_approval(self, effect: Effect) -> dict[str, Any]:
        """Let the waiting run end. It asks the ledger first, so its input is never used."""
        migration, approval = effect.payload["migration"], effect.payload["approval"]
        start = _row(self._ledger, migration, f"{approval}:run")
        if start is not None and start["status"] != "done":
            # Perhaps started, by a process that ended before it could say so.
            raise DependencyUnavailable("Prefect", "the approve run is not known to be started yet")
        run = ((start or {}).get("result") or {}).get("run")
        if run is None:
            return {"ended": None}
        with closing(self._launcher()) as launcher:
            kind, name, _ = launcher.state(run)
            if kind == "PAUSED":
                note = {"decision": "reject", "approver": "switchover"}
                launcher.resume(run, {**note, "reason": "settled elsewhere"})
        if kind in ("SCHEDULED", "PENDING", "RUNNING"):
            raise DependencyUnavailable("Prefect", f"the approve run is still {name}")
        return {"ended": run}

    def _launcher(self) -> PrefectLauncher:
        return open_launcher(self._settings)


class _Messages:
    """Effects on files and people."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    def incident_report(self, effect: Effect) -> dict[str, Any]:
        """Render the incident's Markdown file again; people's own sections are kept."""
        from switchover.incidents.report import write_report

        path = write_report(self._settings.incidents_dir, self._incident(effect))
        return {"file": str(path)}

    def page(self, effect: Effect) -> dict[str, Any]:
        """Tell the channel about the incident."""
        from switchover.incidents.slack_blocks import rollback_blocks, rollback_text

        incident = self._incident(effect)
        return self._post(effect, rollback_text(incident), rollback_blocks(incident))

    def page_update(self, effect: Effect) -> dict[str, Any]:
        """Tell the incident's thread that every router has turned, and how fast."""
        from switchover.incidents.slack_blocks import mitigated_text

        key = f"{effect.payload['incident']}:page"
        page = _result(self._ledger, effect.payload["migration"], key)
        if self._settings.slack_token and not page:
            raise DependencyUnavailable("Slack", "the incident's first message is not sent yet")
        text = mitigated_text(self._incident(effect))
        return self._post(effect, text, (), thread=page.get("thread"))

    def ask_people(self, effect: Effect) -> dict[str, Any]:
        """Show the channel what waits for approval, with its evidence."""
        from switchover.incidents.slack_blocks import approval_blocks, approval_text

        migration, approval = effect.payload["migration"], effect.payload["approval"]
        plan = restore_plan(self._ledger.read(migration).plan.document)
        request = next(
            entry.payload
            for entry in self._ledger.entries(migration)
            if entry.kind == "approval_requested" and entry.payload["id"] == approval
        )
        stage = compile_stages(plan)[request["stage"]].title
        blocks = approval_blocks(
            migration=migration,
            title=plan.title,
            stage=stage,
            request=approval,
            expires_at=request["expires_at"],
            approvers=plan.approvals.approvers if plan.approvals else (),
            reading=request["reading"],
        )
        return self._post(effect, approval_text(migration, stage), blocks)

    def notice(self, effect: Effect) -> dict[str, Any]:
        """Post a plain notice."""
        from switchover.incidents.slack_blocks import escape

        return self._post(effect, escape(effect.payload["text"]), ())

    def _post(
        self,
        effect: Effect,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        thread: str | None = None,
    ) -> dict[str, Any]:
        if not self._settings.slack_token:
            return {"skipped": "SWITCHOVER_SLACK_TOKEN is not set"}
        from switchover.incidents.slack import SlackPager

        pager = SlackPager(self._settings.slack_token, self._settings.slack_api_url or None)
        return {"thread": pager.post(effect.key, effect.payload["channel"], text, blocks, thread)}

    def _incident(self, effect: Effect) -> Incident:
        from switchover.incidents.record import incident_of

        migration = effect.payload["migration"]
        return incident_of(
            self._ledger.entries(migration),
            self._ledger.read(migration).plan.document,
            effect.payload["incident"],
        )

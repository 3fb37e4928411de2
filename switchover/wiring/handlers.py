"""Handlers of the outbox's effects. Each may run again after a crash and must not do harm then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from switchover.engine.context import Handler
from switchover.errors import DependencyUnavailable
from switchover.machine.state import Phase
from switchover.plan.load import restore_plan
from switchover.plan.stages import compile_stages
from switchover.ports import Effect, Ledger
from switchover.wiring.settings import Settings

if TYPE_CHECKING:
    from switchover.incidents.record import Incident
    from switchover.incidents.slack import SlackPager
    from switchover.launcher.prefect_api import PrefectLauncher
    from switchover.launcher.prefect_schedules import PrefectSchedules


def handlers(settings: Settings, ledger: Ledger) -> Mapping[str, Handler]:
    """Effect kind -> how it is done."""
    runs, messages = _Runs(settings, ledger), _Messages(settings, ledger)
    return {
        "start_flow": runs.start_flow,
        "end_approval": runs.end_approval,
        "release_step": runs.release_step,
        "forget_code": runs.forget_code,
        "incident_report": messages.incident_report,
        "page": messages.page,
        "page_update": messages.page_update,
        "ask_people": messages.ask_people,
        "ask_update": messages.ask_update,
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


def open_schedules(settings: Settings) -> PrefectSchedules:
    """The client that brings plans' schedules to Prefect; it is the caller's to close."""
    from switchover.launcher.prefect_schedules import PrefectSchedules

    return PrefectSchedules(settings.prefect_api_url, settings.prefect_auth or None)


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
        run = self._approve_run(effect)
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

    def release_step(self, effect: Effect) -> dict[str, Any]:
        """Start an advance for an approved step that was not taken: the run that should have
        done it has died."""
        migration = effect.payload["migration"]
        state = self._ledger.read(migration).state
        current = state.approval
        if (
            state.phase is not Phase.AWAITING_APPROVAL
            or current is None
            or (current.id, current.status) != (effect.payload["approval"], "approved")
        ):
            return {"skipped": "the step was taken, or is not allowed any more"}
        parameters = {"migration": migration, "actor": effect.payload["actor"]}
        with closing(self._launcher()) as launcher:
            return {"run": launcher.start("advance/advance", parameters, effect.key)}

    def forget_code(self, effect: Effect) -> dict[str, Any]:
        """Delete approval codes that were typed into Prefect's form from its database, once
        nobody can type one any more."""
        run = self._approve_run(effect)
        if run is None:
            return {"forgotten": 0}
        with closing(self._launcher()) as launcher:
            kind, name, _ = launcher.state(run)
            if kind == "PAUSED":
                raise DependencyUnavailable("Prefect", f"the approve run is still {name}")
            return {"forgotten": launcher.forget_input(run)}

    def _approve_run(self, effect: Effect) -> str | None:
        """The run that waits for the approval; None when none was asked for."""
        migration, approval = effect.payload["migration"], effect.payload["approval"]
        start = _row(self._ledger, migration, f"{approval}:run")
        if start is not None and start["status"] != "done":
            # Perhaps started, by a process that ended before it could say so.
            raise DependencyUnavailable("Prefect", "the approve run is not known to be started yet")
        return ((start or {}).get("result") or {}).get("run")

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
        return self._post(effect, *self._approval(effect))

    def ask_update(self, effect: Effect) -> dict[str, Any]:
        """Show in that message how the request stands now, whichever change ordered it."""
        if not self._settings.slack_token:
            return {"skipped": "SWITCHOVER_SLACK_TOKEN is not set"}
        migration, approval = effect.payload["migration"], effect.payload["approval"]
        asked = _result(self._ledger, migration, f"{approval}:ask")
        if not asked:
            raise DependencyUnavailable("Slack", "the request's message is not sent yet")
        if "thread" not in asked:
            return {"skipped": "the request's message was not sent"}
        text, blocks = self._approval(effect)
        self._pager().update(effect.payload["channel"], asked["thread"], text, blocks)
        return {"thread": asked["thread"]}

    def _approval(self, effect: Effect) -> tuple[str, Sequence[Mapping[str, Any]]]:
        """The request's message as it has to look now."""
        from switchover.incidents.approval_request import approval_request
        from switchover.incidents.slack_blocks import approval_blocks, approval_text

        migration = effect.payload["migration"]
        record = self._ledger.read(migration)
        plan = restore_plan(record.plan.document)
        request = approval_request(self._ledger.entries(migration), effect.payload["approval"])
        following = compile_stages(plan)[request.stage]
        stage = following.title
        policy = plan.approvals
        barred = policy.barred(record.state.started_by) if policy else ""
        blocks = approval_blocks(
            migration=migration,
            title=plan.title,
            stage=stage,
            request=request.id,
            expires_at=request.expires_at,
            approvers=[name for name in (policy.people if policy else ()) if name != barred],
            reading=request.reading,
            voters=request.voters,
            missing=policy.missing(request.voters, barred) if policy else (),
            settled=request.sentence,
            buttons=bool(self._settings.slack_signing_secret),
            warning=following.warning,
        )
        return approval_text(migration, stage), blocks

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
        channel = effect.payload["channel"]
        return {"thread": self._pager().post(effect.key, channel, text, blocks, thread)}

    def _pager(self) -> SlackPager:
        from switchover.incidents.slack import SlackPager

        return SlackPager(self._settings.slack_token, self._settings.slack_api_url or None)

    def _incident(self, effect: Effect) -> Incident:
        from switchover.incidents.record import incident_of

        migration = effect.payload["migration"]
        return incident_of(
            self._ledger.entries(migration),
            self._ledger.read(migration).plan.document,
            effect.payload["incident"],
        )

"""Handlers of the outbox's effects. Each may run again after a crash and must not do harm then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from switchover.clock import SystemClock
from switchover.engine.context import Handler
from switchover.engine.outbox import STEPS_AGAIN
from switchover.engine.rollback_progress import due, progress
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
        "rollback_steps": runs.rollback_steps,
        "forget_code": runs.forget_code,
        "incident_report": messages.incident_report,
        "runbook": messages.runbook,
        "page": messages.page,
        "page_update": messages.page_update,
        "page_refresh": messages.page_update,
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

    def rollback_steps(self, effect: Effect) -> dict[str, Any]:
        """Look whether the steps of a rollback are all taken; start a run that goes on when the one
        before has died, and look again later."""
        payload = effect.payload
        incident = payload["parameters"]["incident"]
        record = self._ledger.read(payload["migration"])
        plan = restore_plan(record.plan.document)
        if record.state.incident != incident:
            return {"skipped": "another rollback or attempt has begun"}
        found = progress(self._ledger.entries(payload["migration"]), incident)
        levels, group = plan.rollback.levels, plan.group is not None
        if due(levels, found, SystemClock().now().timestamp(), group=group).over:
            return {"level": found.level, "frozen": found.frozen}
        key = f"{effect.key}:{effect.attempts}"
        with closing(self._launcher()) as launcher:
            launcher.start(payload["deployment"], payload["parameters"], key)
        raise DependencyUnavailable(
            "the rest of the rollback", "its steps are under way", retry_after=STEPS_AGAIN
        )

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
        """Render the incident's Markdown file again, with its picture beside it; people's own
        sections are kept."""
        from switchover.incidents.report import write_picture, write_report
        from switchover.wiring.incident_picture import draw_incident, picture_name

        incident, folder = self._incident(effect), self._settings.incidents_dir
        # First the text: what can't be drawn is tried again, and keeps nobody from reading.
        path = write_report(folder, incident, picture_name(incident))
        write_picture(folder, picture_name(incident), draw_incident(self._ledger, incident))
        return {"file": str(path)}

    def runbook(self, effect: Effect) -> dict[str, Any]:
        """Write how the migration is rolled back by the plan that it has now."""
        from switchover.incidents.report import write_page
        from switchover.plan.load import stored_plan
        from switchover.reporting.runbook import runbook

        migration = effect.payload["migration"]
        plan = self._ledger.read(migration).plan
        text = runbook(stored_plan(plan.document, plan.directory, plan.digest))
        path = write_page(self._settings.runbooks_dir, f"{migration}.md", text)
        return {"file": str(path)}

    def page(self, effect: Effect) -> dict[str, Any]:
        """Tell the channel about the incident."""
        from switchover.incidents.slack_blocks import rollback_blocks, rollback_text

        incident, buttons = self._incident(effect), bool(self._settings.slack_signing_secret)
        blocks = rollback_blocks(incident, buttons=buttons)
        return self._post(effect, rollback_text(incident), blocks)

    def page_update(self, effect: Effect) -> dict[str, Any]:
        """Bring the incident's first message up to date, and tell its thread what changed."""
        from switchover.incidents.slack_blocks import rollback_blocks, rollback_text
        from switchover.incidents.slack_thread import thread_text

        key = f"{effect.payload['incident']}:page"
        page = _result(self._ledger, effect.payload["migration"], key)
        if self._settings.slack_token and not page:
            raise DependencyUnavailable("Slack", "the incident's first message is not sent yet")
        if "thread" not in page:
            return {"skipped": "the incident's first message was not sent"}
        incident, buttons = self._incident(effect), bool(self._settings.slack_signing_secret)
        self._pager().update(
            effect.payload["channel"], page["thread"], rollback_text(incident),
            rollback_blocks(incident, buttons=buttons),
        )  # fmt: skip
        text = thread_text(incident, effect.payload.get("what", "measured"))
        if not text:
            return {"thread": page["thread"]}
        return self._post(effect, text, (), thread=page["thread"])

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

"""The side effects that belong to each event, as outbox rows with unique keys."""

from __future__ import annotations

from switchover.engine.context import Case
from switchover.machine.event import (
    AlertCleared,
    AlertRaised,
    ApprovalRequested,
    RolledBack,
    StageEntered,
)
from switchover.ports import Effect


def _slack(case: Case, key: str, kind: str, **payload: object) -> list[Effect]:
    """A message to the plan's channel; none where the plan names no channel."""
    channel = case.plan.notify.slack_channel
    if not channel:
        return []
    return [Effect(key, kind, {"migration": case.state.migration, "channel": channel, **payload})]


def step_effects(case: Case, event: StageEntered) -> list[Effect]:
    """A notice that the next stage began."""
    key = f"{case.state.migration}:{case.state.attempt}:{event.stage}"
    text = f"{case.plan.title}: {event.title} began, the candidate serves {event.split / 100:g} %"
    return _slack(case, f"{key}:notice", "notice", text=text)


def ask_effects(case: Case, event: ApprovalRequested) -> list[Effect]:
    """Start the ``approve`` run that people resume, and tell them."""
    migration = case.state.migration
    run = Effect(
        f"{event.id}:run",
        "start_flow",
        {
            "migration": migration,
            "deployment": "approve/approve",
            "parameters": {"migration": migration, "approval": event.id},
        },
    )
    return [run, *_slack(case, f"{event.id}:ask", "ask_people", approval=event.id)]


def decided_effects(case: Case, approval: str, status: str, via: str, actor: str) -> list[Effect]:
    """Let the waiting ``approve`` run end, and take the approved step at once."""
    if via == "prefect":
        # The resumed run itself goes on with the step.
        return []
    migration = case.state.migration
    effects = [
        Effect(
            f"{approval}:end:{status}",
            "end_approval",
            {"migration": migration, "approval": approval},
        )
    ]
    if status == "approved":
        effects.append(
            Effect(
                f"{approval}:advance",
                "start_flow",
                {
                    "migration": migration,
                    "deployment": "advance/advance",
                    "parameters": {"migration": migration, "actor": actor},
                },
            )
        )
    return effects


def rollback_effects(case: Case, event: RolledBack) -> list[Effect]:
    """Write the incident's report, page people and end a waiting approval."""
    migration = case.state.migration
    effects = [
        Effect(
            f"{event.incident}:report",
            "incident_report",
            {"migration": migration, "incident": event.incident},
        )
    ]
    effects += _slack(case, f"{event.incident}:page", "page", incident=event.incident)
    return [*effects, *end_effects(case, "rolled_back")]


def end_effects(case: Case, why: str) -> list[Effect]:
    """Let the run of a pending approval end, as there is nothing left to decide."""
    approval = case.state.approval
    if approval is None or approval.status != "pending":
        return []
    payload = {"migration": case.state.migration, "approval": approval.id}
    return [Effect(f"{approval.id}:end:{why}", "end_approval", payload)]


def silence_effects(case: Case, text: str) -> list[Effect]:
    """Tell people that no evidence comes; the revision makes each silence its own."""
    key = f"{case.state.migration}:{case.state.revision + 1}:silence"
    return _slack(case, key, "notice", text=f"{case.plan.title}: {text}")


def alert_effects(case: Case, event: AlertRaised | AlertCleared) -> list[Effect]:
    """Tell people that a target is missed by too much, or met again."""
    sign = "AMBER" if isinstance(event, AlertRaised) else "recovered"
    key = f"{case.state.migration}:{case.state.revision + 1}:{event.kind}"
    return _slack(case, key, "notice", text=f"{case.plan.title}: {sign}: {event.text}")


def measured_effects(case: Case, incident: str) -> list[Effect]:
    """Render the report again, now that the rollback's time is known, and tell the thread."""
    return [
        Effect(
            f"{incident}:report:measured",
            "incident_report",
            {"migration": case.state.migration, "incident": incident},
        ),
        *_slack(case, f"{incident}:page:measured", "page_update", incident=incident),
    ]

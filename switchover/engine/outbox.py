"""The side effects that belong to each event, as outbox rows with unique keys."""

from __future__ import annotations

from switchover.engine.context import Case
from switchover.machine.event import ApprovalRequested, RolledBack, StageEntered
from switchover.ports import Effect


def _slack(case: Case, key: str, text: str, thread: str) -> list[Effect]:
    channel = case.plan.notify.slack_channel
    if not channel:
        return []
    payload = {"migration": case.state.migration, "channel": channel, "text": text,
               "thread": thread}  # fmt: skip
    return [Effect(f"{key}:slack", "slack", payload)]


def step_effects(case: Case, event: StageEntered) -> list[Effect]:
    """A notice that the next stage began."""
    key = f"{case.state.migration}:{case.state.attempt}:{event.stage}"
    text = f"*{case.plan.title}*: {event.title} began, the candidate serves {event.split / 100:g} %"
    return _slack(case, key, text, thread=f"{case.state.migration}:{case.state.attempt}")


def ask_effects(case: Case, event: ApprovalRequested) -> list[Effect]:
    """Start the ``approve`` run that people resume, and tell them."""
    migration = case.state.migration
    title = case.stages[event.stage].title
    run = Effect(
        f"{event.id}:run",
        "start_flow",
        {"migration": migration, "deployment": "approve/approve",
         "parameters": {"migration": migration, "approval": event.id}},
    )  # fmt: skip
    text = (
        f"*{case.plan.title}*: {title} waits for approval. Resume the approve run in Prefect or "
        f"run `switchover approve {migration}`."
    )
    return [run, *_slack(case, event.id, text, thread=f"{migration}:{case.state.attempt}")]


def decided_effects(case: Case, approval: str, status: str, via: str) -> list[Effect]:
    """Let the waiting ``approve`` run end, and take the approved step at once."""
    if via == "prefect":
        # The resumed run itself goes on with the step.
        return []
    migration = case.state.migration
    effects = [
        Effect(f"{approval}:end:{status}", "end_approval",
               {"migration": migration, "approval": approval})
    ]  # fmt: skip
    if status == "approved":
        effects.append(
            Effect(
                f"{approval}:advance",
                "start_flow",
                {"migration": migration, "deployment": "advance/advance",
                 "parameters": {"migration": migration}},
            )  # fmt: skip
        )
    return effects


def rollback_effects(case: Case, event: RolledBack) -> list[Effect]:
    """Write the incident's report, page people and end a waiting approval."""
    migration = case.state.migration
    effects = [
        Effect(f"{event.incident}:report", "incident_report",
               {"migration": migration, "incident": event.incident})
    ]  # fmt: skip
    channel = case.plan.notify.slack_channel
    if channel:
        effects.append(
            Effect(f"{event.incident}:page", "page",
                   {"migration": migration, "incident": event.incident, "channel": channel})
        )  # fmt: skip
    approval = case.state.approval
    if approval is not None and approval.status == "pending":
        effects.append(
            Effect(f"{approval.id}:end:rolled_back", "end_approval",
                   {"migration": migration, "approval": approval.id})
        )  # fmt: skip
    return effects


def measured_effects(case: Case, incident: str) -> list[Effect]:
    """Render the report again, now that the rollback's time is known."""
    return [
        Effect(f"{incident}:report:measured", "incident_report",
               {"migration": case.state.migration, "incident": incident})
    ]  # fmt: skip
